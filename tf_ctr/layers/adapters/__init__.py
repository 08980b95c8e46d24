"""Layers that join a source tower to a target tower: CTNet, ProgressiveNN, PTU, NATR.

Each takes the source's activation `[B, ..., M]` or vector `[B, D]` at one depth. An
*exact* start leaves the scores of the start model unchanged until it is trained.
"""
