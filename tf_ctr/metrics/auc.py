"""Streaming AUC for low click rates."""

import keras
from keras import ops

from tf_ctr.metrics.bins import MAX_LOGIT, unit_logits


@keras.saving.register_keras_serializable("tf_ctr")
class AUC(keras.metrics.AUC):
    """Area under the ROC or PR curve, with thresholds evenly spaced in logits.

    Keras spaces its 200 thresholds evenly over the probabilities 0 to 1, and at a
    click rate of 1 % most scores lie between the first few of them. Here 2000
    thresholds are spaced evenly over the logits -16 to 16, at the same cost per
    batch. Largest difference from `sklearn.metrics.roc_auc_score` on a million
    scores, whose logits are normal with standard deviation 0.3, 1 or 2:

    | click rate | `keras.metrics.AUC` | this metric |
    |---|---|---|
    | 0.5   | 4e-5 | 2e-5 |
    | 0.01  | 2e-2 | 4e-5 |
    | 0.001 | 2e-1 | 1e-4 |

    `exact_auc` has no such error. As in Keras, the result is 0 as long as only one
    class has been seen.

    Args:
        num_thresholds: Number of thresholds. Defaults to 2000, for the table above.
        curve: As in `keras.metrics.AUC`.
        summation_method: As in `keras.metrics.AUC`.
        name: Name of the metric. Defaults to `"auc"`, always without a counter, so
            that callbacks can monitor `"val_auc"`.
        dtype: As in `keras.metrics.AUC`.
        thresholds: Probabilities to use as thresholds instead. Ten times slower
            unless they are evenly spaced.
        multi_label: As in `keras.metrics.AUC`.
        num_labels: As in `keras.metrics.AUC`.
        label_weights: As in `keras.metrics.AUC`.
        from_logits: Whether predictions are logits.

    Example:

    >>> from tf_ctr.metrics import AUC
    >>> auc = AUC()
    >>> auc.update_state([0, 0, 1, 1], [0.001, 0.003, 0.002, 0.004])
    >>> float(auc.result())  # 3 of the 4 pairs are in order
    0.75
    """

    def __init__(
        self,
        num_thresholds=2000,
        curve="ROC",
        summation_method="interpolation",
        name="auc",
        dtype=None,
        thresholds=None,
        multi_label=False,
        num_labels=None,
        label_weights=None,
        from_logits=False,
    ):
        self._in_logits = thresholds is None
        self.from_logits = from_logits
        super().__init__(
            num_thresholds=num_thresholds,
            curve=curve,
            summation_method=summation_method,
            name=name,
            dtype=dtype,
            thresholds=thresholds,
            multi_label=multi_label,
            num_labels=num_labels,
            label_weights=label_weights,
            from_logits=from_logits and not self._in_logits,
        )

    @property
    def thresholds(self):
        """The thresholds, as probabilities."""
        first, *inner, last = super().thresholds
        if self._in_logits:
            inner = [_probability(threshold) for threshold in inner]
        return [first, *inner, last]

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch: labels and predictions `[B]` or `[B, 1]`."""
        y_pred = ops.cast(y_pred, self.dtype)
        if self._in_logits:
            y_pred = unit_logits(y_pred, self.from_logits)
        super().update_state(y_true, y_pred, sample_weight)

    def get_config(self):
        """Returns the arguments of the metric."""
        weights = self.label_weights
        return {
            **super().get_config(),
            # Keras gives a tensor here that it cannot read back.
            "label_weights": weights if weights is None else weights.numpy().tolist(),
            "from_logits": self.from_logits,
        }


def _probability(unit_logit):
    return float(ops.sigmoid((unit_logit - 0.5) * 2 * MAX_LOGIT))
