"""The ways to load a SavedModel and run its signatures."""
