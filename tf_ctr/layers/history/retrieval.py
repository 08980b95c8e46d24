"""Chooses and reads k of the T positions of a history.

A position has an integer score: the larger, the better, and 0 if it must not be taken.
Positions are counted from the oldest. `take` reads only the chosen rows.
"""

from keras import ops

from tf_ctr.layers.core.layer import Tensor


def by_recency(allowed: Tensor) -> Tensor:
    """Returns scores that prefer the newest of the allowed positions.

    Args:
        allowed: Which positions may be taken, `[B, T]`.

    Returns:
        int32 scores `[B, T]`.

    Example:

    >>> import numpy as np
    >>> by_recency(np.array([[True, True, False]])).numpy()
    array([[1, 2, 0]], dtype=int32)
    """
    return ops.where(allowed, 1 + ops.arange(allowed.shape[1], dtype="int32"), 0)


def by_code(query: Tensor, rows: Tensor, present: Tensor, projection: Tensor) -> Tensor:
    """Returns scores that prefer the smallest Hamming distance, then the newest.

    The code of a vector `e` is `sign(e R)`, with one bit per column of `R`. Between
    codes of +1 and -1 the distance is `(bits - <a, b>) / 2`, so one matrix product
    gives all distances.

    Args:
        query: Vector of the candidate, `[B, D]`.
        rows: Vectors of the history, `[B, T, D]`.
        present: Which positions are not padding, `[B, T]`.
        projection: `R`, `[D, bits]`.

    Returns:
        int32 scores `[B, T]`.
    """
    bits, length = projection.shape[1], rows.shape[1]
    products = ops.einsum(
        "btr,br->bt", _sign_code(rows, projection), _sign_code(query, projection)
    )
    distance = (bits - ops.cast(products, "int32")) // 2
    # Farther than any code, so that the score of padding is 0.
    distance = ops.where(present, distance, bits + 1)
    newest_first = by_recency(present)
    return (bits + 1 - distance) * (length + 1) + newest_first


def _sign_code(x, projection):
    product = ops.matmul(x, projection)
    return 2 * ops.cast(product >= 0, product.dtype) - 1


def choose(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the positions of the `count` best scores, best first.

    Args:
        scores: int32 scores `[B, T]`.
        count: Positions to take; all T if there are fewer.

    Returns:
        Positions `[B, k]`, and whether each of them may be taken, `[B, k]`.

    Example:

    >>> import numpy as np
    >>> positions, allowed = choose(np.array([[5, 0, 7]]), 2)
    >>> positions.numpy(), allowed.numpy()
    (array([[2, 0]], dtype=int32), array([[ True,  True]]))
    """
    best, positions = ops.top_k(scores, min(count, scores.shape[1]))
    return ops.cast(positions, "int32"), best > 0


def take(values: Tensor, positions: Tensor) -> Tensor:
    """Returns `values [B, T, ...]` at `positions [B, k]`, as `[B, k, ...]`."""
    # One flat lookup: on TensorFlow, ops.take_along_axis gathers number by number and
    # takes 24 times as long for 64 of 1,000 vectors of width 16.
    start = values.shape[1] * ops.arange(ops.shape(positions)[0], dtype="int32")
    flat = ops.reshape(values, (-1, *values.shape[2:]))
    return ops.take(flat, positions + ops.expand_dims(start, 1), axis=0)
