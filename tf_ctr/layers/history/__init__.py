"""Layers over a user's history: the T newest behaviours, oldest first.

`rows [B, T, D]` are the embeddings of the history, `ids [B, T]` its ids, where 0 is
padding. `query` is the vector that attends to them, usually the candidate's. Padding
gets no weight, and an empty history gives zeros. `histories.py` has the checks and the
masked softmax that the layers share, `retrieval.py` the choice of k of T behaviours.
"""
