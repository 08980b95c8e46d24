"""Metrics of click predictions: streaming for Keras, exact for whole arrays.

Classes are *streaming*: Keras metrics that see one batch after the other, for
`compile` and training. Functions are *exact*: they take the labels and scores of all
rows at once, in NumPy. An *impression* is a row. A *group* is a set of impressions,
usually those of a user; GAUC averages over groups.
"""

from tf_ctr.metrics.auc import AUC
from tf_ctr.metrics.calibration_ratio import Calibration, calibration
from tf_ctr.metrics.exact import GroupAUC, exact_auc, exact_gauc
from tf_ctr.metrics.gauc import GAUC
from tf_ctr.metrics.logloss import LogLoss, log_loss
from tf_ctr.metrics.reliability import calibration_error, normalized_entropy

__all__ = [
    "AUC",
    "Calibration",
    "GAUC",
    "GroupAUC",
    "LogLoss",
    "calibration",
    "calibration_error",
    "exact_auc",
    "exact_gauc",
    "log_loss",
    "normalized_entropy",
]


def __dir__() -> list[str]:
    return [*__all__]
