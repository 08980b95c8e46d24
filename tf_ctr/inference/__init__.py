"""Rewrites of a model that give the same scores by less work."""
