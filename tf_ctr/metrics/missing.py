"""Leaves rows without a label out of a streaming metric."""

from typing import NamedTuple

import tensorflow as tf
from keras import ops


class Counted(NamedTuple):
    """The rows of a batch as a metric counts them.

    Attributes:
        labels: Labels, `[B]`; 0 where the label is missing.
        scores: Predictions, `[B]`.
        weights: Weights, `[B]`; 0 where the label is missing.
    """

    labels: tf.Tensor
    scores: tf.Tensor
    weights: tf.Tensor


def counted(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    sample_weight: tf.Tensor | None,
    dtype: str,
) -> Counted:
    """Returns the rows of a batch, those without a label with weight 0.

    Args:
        y_true: Labels `[B]` or `[B, 1]`; NaN where one is missing.
        y_pred: Predictions `[B]` or `[B, 1]`.
        sample_weight: Weights, one for each row or one for all; `None` for 1.
        dtype: Data type of the result.
    """
    labels, scores = (
        ops.reshape(ops.cast(values, dtype), (-1,)) for values in (y_true, y_pred)
    )
    known = ops.logical_not(ops.isnan(labels))
    weights = ops.cast(known, dtype)
    if sample_weight is not None:
        weights = weights * ops.reshape(ops.cast(sample_weight, dtype), (-1,))
    return Counted(ops.where(known, labels, 0.0), scores, weights)
