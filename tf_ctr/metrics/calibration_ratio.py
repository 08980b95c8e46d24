"""Predicted over observed click rate, streaming and exact."""

import keras
import numpy as np
from keras import ops

from tf_ctr.metrics.checks import checked_probabilities


@keras.saving.register_keras_serializable("tf_ctr")
class Calibration(keras.metrics.Metric):
    """Mean predicted click probability over the observed click rate.

    1 is calibrated; 1.2 promises 20 % more clicks than come. NaN as long as no
    click has been seen, where the ratio is undefined.

    Source: the calibration of He et al., Practical Lessons from Predicting Clicks
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

    def __init__(self, name="calibration", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.predicted = self.add_variable((), "zeros", name="predicted")
        self.observed = self.add_variable((), "zeros", name="observed")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch: labels and probabilities `[B]` or `[B, 1]`."""
        weights = 1.0 if sample_weight is None else self._flat(sample_weight)
        self.predicted.assign_add(ops.sum(weights * self._flat(y_pred)))
        self.observed.assign_add(ops.sum(weights * self._flat(y_true)))

    def result(self):
        """Returns the ratio, NaN without a click."""
        clicks = ops.where(self.observed > 0, self.observed, np.nan)
        return self.predicted / clicks

    def _flat(self, values):
        return ops.reshape(ops.cast(values, self.dtype), (-1,))


def calibration(labels, scores) -> float:
    """Returns the mean score over the click rate, NaN without a click.

    Args:
        labels: Labels 0 or 1, `[N]` or `[N, 1]`.
        scores: Click probabilities, of the same length.

    Raises:
        ValueError: For different lengths, no row, a label that is not 0 or 1, or a
            score outside [0, 1].
        TypeError: For values that are not numbers.

    Example:

    >>> from tf_ctr.metrics import calibration
    >>> calibration([1, 0, 0, 0], [0.5, 0.25, 0.25, 0.25])
    1.25
    """
    labels, scores = checked_probabilities(labels, scores)
    clicks = labels.sum()
    return float(scores.sum() / clicks) if clicks else float("nan")
