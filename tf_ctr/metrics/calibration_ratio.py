"""Predicted over observed click rate, streaming and exact."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import ArrayLike

from tf_ctr.metrics.arrays import blocks, labels_and_rates, row_weights
from tf_ctr.metrics.missing import counted


@keras.saving.register_keras_serializable("tf_ctr")
class Calibration(keras.metrics.Metric):
    """Mean predicted click probability over the observed click rate.

    A model with ratio 1 is calibrated; one with ratio 1.2 predicts 20 % too many
    clicks. The ratio is NaN until the first click.

    Source: "calibration" in He et al., Practical Lessons from Predicting Clicks
    on Ads at Facebook (ADKDD 2014).

    Args:
        name: Name of the metric. Defaults to `"calibration"`.
        dtype: Data type of the sums.

    Example:

    >>> from tf_ctr.metrics import Calibration
    >>> metric = Calibration()
    >>> metric.update_state([1, 0, 0, 0], [0.5, 0.25, 0.25, 0.25])
    >>> float(metric.result())  # 1.25 predicted clicks, 1 observed
    1.25
    """

    def __init__(self, name: str = "calibration", dtype: str | None = None):
        super().__init__(name=name, dtype=dtype)
        self.predicted = self.add_variable((), "zeros", name="predicted")
        self.observed = self.add_variable((), "zeros", name="observed")

    def update_state(
        self,
        y_true: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> None:
        """Adds a batch: labels and probabilities `[B]` or `[B, 1]`.

        A label that is NaN is not known; its row does not count.
        """
        rows = counted(y_true, y_pred, sample_weight, self.dtype)
        self.predicted.assign_add(ops.sum(rows.weights * rows.scores))
        self.observed.assign_add(ops.sum(rows.weights * rows.labels))

    def result(self) -> tf.Tensor:
        """Returns the ratio; NaN without a click."""
        clicks = ops.where(self.observed > 0, self.observed, np.nan)
        return self.predicted / clicks


def calibration(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Returns the mean score over the click rate; NaN without a click.

    Args:
        labels: Labels 0 or 1, `[B]` or `[B, 1]`.
        scores: Click probabilities, of the same length.
        weights: Weights of the same length. Defaults to 1.

    Raises:
        ValueError: For different lengths, no row, a label that is not 0 or 1, a score
            outside [0, 1], or a weight that is negative or not finite.
        TypeError: For values that are not numbers.

    Example:

    >>> from tf_ctr.metrics import calibration
    >>> calibration([1, 0, 0, 0], [0.5, 0.25, 0.25, 0.25])
    1.25
    """
    clicked, rates = labels_and_rates(labels, scores)
    of_row = None if weights is None else row_weights(weights, len(clicked))
    clicks, predicted = [], []
    for own in blocks(len(clicked)):
        weight = 1.0 if of_row is None else of_row[own]
        clicks.append(float((weight * clicked[own]).sum()))
        predicted.append(float((weight * rates[own].astype(np.float64)).sum()))
    total = math.fsum(clicks)
    return math.fsum(predicted) / total if total else float("nan")
