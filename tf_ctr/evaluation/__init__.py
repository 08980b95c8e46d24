"""Computes scores and exact metrics of a model on rows.

A *score* is the click probability that a model gives a row; a model of several labels
gives one per label. Rows are streamed: memory holds a score, a label and a group for
each, at most 20 bytes, and not the rows. AUC and GAUC sort them in 13 bytes per row
more; the peak of 20 million rows with groups was 36 bytes per row. With weights, or
scores of float64, sorting takes 40.
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
