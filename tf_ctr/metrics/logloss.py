"""Binary cross-entropy, streaming and exact."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import ArrayLike

from tf_ctr.metrics.arrays import blocks, labels_and_rates, row_weights
from tf_ctr.metrics.missing import counted


@keras.saving.register_keras_serializable("tf_ctr")
class LogLoss(keras.metrics.BinaryCrossentropy):
    """Mean binary cross-entropy of all impressions so far.

    `keras.metrics.BinaryCrossentropy` averages each batch of shape `[B]` to one
    number, so a short last batch weighs as much as a full one; and it rejects labels
    `[B]` with predictions `[B, 1]`. This metric weighs impressions equally, and accepts
    any combination of the two shapes.

    Args:
        name: Name of the metric. Defaults to `"log_loss"`.
        dtype: Data type of the computation.
        from_logits: Whether predictions are logits.
        label_smoothing: As in `keras.metrics.BinaryCrossentropy`.

    Example:

    >>> from tf_ctr.metrics import LogLoss
    >>> metric = LogLoss()
    >>> metric.update_state([1, 0], [[0.5], [0.5]])
    >>> round(float(metric.result()), 4)  # -log(0.5)
    0.6931
    """

    def __init__(
        self,
        name: str = "log_loss",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        super().__init__(name, dtype, from_logits, label_smoothing)

    def update_state(
        self,
        y_true: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> None:
        """Adds a batch: labels and predictions `[B]` or `[B, 1]`.

        A label that is NaN is not known; its row does not count.
        """
        rows = counted(y_true, y_pred, sample_weight, self.dtype)
        labels, scores = (ops.expand_dims(each, 1) for each in rows[:2])
        super().update_state(labels, scores, rows.weights)


def log_loss(
    labels: ArrayLike,
    scores: ArrayLike,
    eps: float | None = None,
    weights: ArrayLike | None = None,
) -> float:
    """Returns the mean binary cross-entropy, like `sklearn.metrics.log_loss`.

    Args:
        labels: Labels 0 or 1, `[B]` or `[B, 1]`.
        scores: Click probabilities, of the same length.
        eps: Scores are clipped to `[eps, 1 - eps]`. Defaults to the machine epsilon
            of their dtype, as in scikit-learn.
        weights: Weights of the same length. Defaults to 1. If all are 0, the result is
            NaN.

    Raises:
        ValueError: For different lengths, no row, a label that is not 0 or 1, a score
            outside [0, 1], or a weight that is negative or not finite.
        TypeError: For values that are not numbers.

    Example:

    >>> from tf_ctr.metrics import log_loss
    >>> round(log_loss([1, 0], [0.8, 0.4]), 4)  # -(log(0.8) + log(0.6)) / 2
    0.367
    """
    if eps is None:
        # Read before the conversion to float64 below, which has a smaller epsilon.
        dtype = np.asarray(scores).dtype
        eps = np.finfo(dtype if dtype.kind == "f" else np.float64).eps
    clicked, rates = labels_and_rates(labels, scores)
    of_row = None if weights is None else row_weights(weights, len(clicked))
    if of_row is not None and not of_row.any():
        return float("nan")
    sums = []
    for own in blocks(len(clicked)):
        likely = np.clip(rates[own].astype(np.float64), eps, 1 - eps)
        # With `eps=0` a wrong certainty has the loss infinity, without a warning.
        with np.errstate(divide="ignore"):
            loss = -np.log(np.where(clicked[own], likely, 1 - likely))
        if of_row is not None:
            # A row of weight 0 does not count, also where its loss is infinite.
            counted = of_row[own] > 0
            loss = loss[counted] * of_row[own][counted]
        sums.append(float(loss.sum()))
    total = len(clicked) if of_row is None else float(of_row.sum())
    return math.fsum(sums) / total
