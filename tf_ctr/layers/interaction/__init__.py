"""Interactions of fields: cross, bilinear, compressed, field attention."""
