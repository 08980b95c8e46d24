"""Backbones with and without APG."""
