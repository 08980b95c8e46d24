"""Computes scores and exact metrics of a model on rows.

A *score* is the click probability that a model gives a row; a model of several labels
gives one per label. Rows are streamed: memory holds a score, a label and a group for
each, at most 20 bytes, and not the rows. Sorting them for AUC and GAUC takes 13 bytes
per row more for a moment; with weights, or scores of float64, 40.
"""

from tf_ctr.evaluation.importance import importance
from tf_ctr.evaluation.of_model import auc_loss, evaluate, predict, predict_by_label
from tf_ctr.evaluation.of_scores import score_metrics

__all__ = [
    "auc_loss",
    "evaluate",
    "importance",
    "predict",
    "predict_by_label",
    "score_metrics",
]


def __dir__() -> list[str]:
    return [*__all__]
