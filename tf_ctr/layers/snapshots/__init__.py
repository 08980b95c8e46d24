"""Layers of E-CDCTR: historical embeddings of an id, from K dated snapshots of a model.

A snapshot holds `[D + 1]` numbers per id: the embedding, and 1 if the snapshot has the
id, 0 if it does not.
"""
