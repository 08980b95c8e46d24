"""What the layers over a history of ids share: its padding and its checks."""

from keras import ops

from tf_ctr.errors import check_positive, explain


def check_history(rows_shape, ids_shape):
    """Raises unless there is one vector per id of a history.

    Args:
        rows_shape: Shape of the vectors, `[B, T, D]`.
        ids_shape: Shape of the ids, `[B, T]`.

    Raises:
        ValueError: If the shapes are others.
    """
    if len(rows_shape) != 3 or tuple(rows_shape[:-1]) != tuple(ids_shape):
        raise ValueError(
            explain(
                "the vectors of a history [B, T, D] and its ids [B, T]",
                f"{tuple(rows_shape)} and {tuple(ids_shape)}",
                "pass the ids that the vectors were looked up with",
            )
        )


def check_fixed_length(rows_shape):
    """Raises unless T is known, as a choice of k of T positions needs."""
    if rows_shape[1] is None:
        raise ValueError(
            explain(
                "a history of known length T",
                tuple(rows_shape),
                "pad it in tf.data, e.g. with Sequence(max_length=)",
            )
        )


def check_candidate(query_shape, rows_shape=None):
    """Raises unless a candidate is `[B, D]`, with the D of the history if given.

    Args:
        query_shape: Shape of the candidate's vector.
        rows_shape: Shape of the vectors of a history that it is compared with.

    Raises:
        ValueError: If it is not.
    """
    width = query_shape[-1] if rows_shape is None else rows_shape[-1]
    if len(query_shape) != 2 or query_shape[-1] != width:
        raise ValueError(
            explain(
                f"one vector per candidate, [B, {width}]",
                tuple(query_shape),
                "look the candidate up in the table of the history",
            )
        )


def check_heads(units, num_heads):
    """Raises unless `units` can be divided among the heads."""
    check_positive(units=units, num_heads=num_heads)
    if units % num_heads:
        raise ValueError(
            explain(
                "units that num_heads divides",
                f"units={units}, num_heads={num_heads}",
                "pass units=256 and num_heads=8",
            )
        )


def clear(rows, present):
    """Sets the vectors `[B, T, D]` to zero where `present [B, T]` is false.

    Multiplying by zero would keep a NaN, and pass one on to the gradient.
    """
    return ops.where(ops.expand_dims(present, 2), rows, ops.zeros_like(rows))


def masked_softmax(scores, present):
    """Softmax over the last axis, in float32 within.

    Args:
        scores: Any shape that ends in T.
        present: Which of the T count, of a shape that broadcasts to `scores`.

    Returns:
        Weights of the shape and dtype of `scores`; all zero where nothing counts.
    """
    # By hand: ops.softmax gives weights where nothing counts, and warns for T = 1.
    masked = ops.where(present, ops.cast(scores, "float32"), -1e9)
    largest = ops.stop_gradient(ops.max(masked, axis=-1, keepdims=True))
    parts = ops.exp(masked - largest) * ops.cast(present, "float32")
    # The largest part is 1, so that only an empty sum is below.
    total = ops.maximum(ops.sum(parts, axis=-1, keepdims=True), 1.0)
    return ops.cast(parts / total, scores.dtype)
