"""Layers of models that train on several domains at once (`tf_ctr.joint`).

`domains [B]` is the id of each example's domain, from 0 to `num_domains - 1`.
"""
