"""MovieLens-1M: groups of users."""
