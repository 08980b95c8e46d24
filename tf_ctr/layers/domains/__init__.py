"""Layers of models that train on several domains at once."""
