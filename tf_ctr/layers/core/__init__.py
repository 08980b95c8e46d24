"""Layers that every backbone needs: tables, pooling, biases, parallel dense layers.

`layer.py` has the base class of all our layers and the types of their arguments,
`ops.py` the two functions that several layers share.
"""
