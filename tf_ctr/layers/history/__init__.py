"""Attention over a user's history of items."""
