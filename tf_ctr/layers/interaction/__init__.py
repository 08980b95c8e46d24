"""Layers that let the fields of an example interact.

`x0 [B, N]` is the concatenation of all field embeddings (cross networks); `x [B, F, D]`
has one vector per field (bilinear, compressed and attention layers).
"""
