"""Dated embedding tables and their aggregation: E-CDCTR."""
