"""Checks and masking that the layers over a history share."""

from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Shape, Tensor


def check_history(rows_shape: Shape, ids_shape: Shape) -> None:
    """Raises unless there is one vector per id of a history.

    Args:
        rows_shape: Shape of the vectors, `[B, T, D]`.
        ids_shape: Shape of the ids, `[B, T]`.

    Raises:
        ValueError: If the shapes differ from these.
    """
    if len(rows_shape) != 3 or tuple(rows_shape[:-1]) != tuple(ids_shape):
        raise ValueError(
            explain(
                "the vectors of a history [B, T, D] and its ids [B, T]",
                f"{tuple(rows_shape)} and {tuple(ids_shape)}",
                "pass the ids that the vectors were looked up with",
            )
        )


def check_fixed_length(rows_shape: Shape) -> None:
    """Raises unless T is known, which the choice of k of T positions needs."""
    if rows_shape[1] is None:
        raise ValueError(
            explain(
                "a history of known length T",
                tuple(rows_shape),
                "pad it in tf.data, e.g. with Sequence(max_length=)",
            )
        )


def check_candidate(query_shape: Shape, rows_shape: Shape | None = None) -> None:
    """Raises unless a candidate has one vector `[B, D]`, as wide as the history's.

    Args:
        query_shape: Shape of the candidate's vector.
        rows_shape: Shape of the vectors of the history, `[B, T, D]`. Defaults to any D.

    Raises:
        ValueError: If the candidate has another shape.
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


def check_heads(units: int, num_heads: int) -> None:
    """Raises unless `num_heads` divides `units`."""
    check_positive(units=units, num_heads=num_heads)
    if units % num_heads:
        raise ValueError(
            explain(
                "units that num_heads divides",
                f"units={units}, num_heads={num_heads}",
                "pass units=256 and num_heads=8",
            )
        )


def clear(rows: Tensor, present: Tensor) -> Tensor:
    """Sets the vectors `[B, T, D]` to zero where `present [B, T]` is false.

    A product with zero instead would keep a NaN in the output and the gradient.
    """
    return ops.where(ops.expand_dims(present, 2), rows, ops.zeros_like(rows))


def masked_softmax(scores: Tensor, present: Tensor) -> Tensor:
    """Returns the softmax over the present positions of the last axis.

    Args:
        scores: Any shape that ends in T.
        present: Which of the T positions count; broadcasts to `scores`.

    Returns:
        Weights, of the shape and dtype of `scores`, computed in float32. All are zero
        where no position counts.
    """
    # Not ops.softmax: it spreads weight over padding if all is padding, and warns
    # if T is 1. -1e9 is in the range of float32 but not of float16.
    masked = ops.where(present, ops.cast(scores, "float32"), -1e9)
    largest = ops.stop_gradient(ops.max(masked, axis=-1, keepdims=True))
    parts = ops.exp(masked - largest) * ops.cast(present, "float32")
    # The largest part is 1, so only the sum over no position is below 1.
    total = ops.maximum(ops.sum(parts, axis=-1, keepdims=True), 1.0)
    return ops.cast(parts / total, scores.dtype)
