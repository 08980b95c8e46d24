"""APG: dense layers whose weights are generated for each example.

`x [B, M]` is the input and `z [B, D]` the *condition* that the weights are generated
from, or `[B, J, D]` several conditions. K is the rank and P the over-parameter width.
"""
