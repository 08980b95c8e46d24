"""Layers that join a source tower to a target tower: CTNet, ProgressiveNN, PTU, NATR.

Each takes the source's activation `[B, ..., M]` or vector `[B, D]` at one depth. With
an *exact* start, adding the layer does not change the scores until it is trained.
"""
