"""Backbones with and without APG: tables 2, 4 and 6 and figure 6 of its paper."""
