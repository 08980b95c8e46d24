"""Computes exact metrics of scores, for one label or for each of several."""

import functools
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tf_ctr.features import Schema, columns
from tf_ctr.metrics import calibration, exact_auc, exact_gauc, log_loss
from tf_ctr.metrics.arrays import row_weights
from tf_ctr.scoring import Kept

# Keys of kept values; columns of any name may stand beside them.
LABEL, WEIGHT, GROUP = "label ", "weight ", "group"


def labels_and_groups(schema: Schema, group: bool = True) -> Kept:
    """Returns how to read what the metrics need beside the scores.

    Args:
        schema: The schema.
        group: Whether to read the group too, if the schema has one.
    """
    outcomes = schema.outcomes
    kept: dict[str, tuple[str, Callable[[pd.DataFrame], np.ndarray]]] = {}
    for name in outcomes.names:
        read = functools.partial(columns.labels, name=name, may_miss=outcomes.several)
        kept[LABEL + name] = (name, read)
    for name in outcomes.weights:
        kept[WEIGHT + name] = (name, functools.partial(columns.weights, name=name))
    if group and schema.group_column is not None:
        code = schema.group_coder()
        # Half the memory, and no log has 2**31 groups.
        kept[GROUP] = (schema.group_column, lambda frame: code(frame).astype(np.int32))
    return kept


def label_metrics(
    schema: Schema,
    scores: Mapping[str, np.ndarray],
    kept: Mapping[str, np.ndarray],
    rows: np.ndarray | slice = slice(None),
) -> dict[str, float]:
    """Returns the metrics that `evaluate` returns, of some rows.

    Args:
        schema: The schema.
        scores: `{label: scores [B]}`.
        kept: What was kept of the rows by `labels_and_groups`.
        rows: Which of the rows to use, booleans `[B]`. Defaults to all.
    """
    if not schema.outcomes.several:
        return score_metrics(*label_arrays(schema, schema.label, scores, kept, rows))
    first = kept[LABEL + schema.label_names[0]][rows]
    metrics: dict[str, float] = {"rows": len(first)}
    for name in schema.label_names:
        arrays = label_arrays(schema, name, scores, kept, rows)
        own = score_metrics(*arrays) if len(arrays[0]) else _undefined(arrays[2])
        metrics |= {f"{name}_{key.removeprefix('click_')}": own[key] for key in own}
    return metrics


def label_arrays(
    schema: Schema,
    label: str,
    scores: Mapping[str, np.ndarray],
    kept: Mapping[str, np.ndarray],
    rows: np.ndarray | slice = slice(None),
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Returns labels, scores, groups and weights of the rows with a known label.

    Args:
        schema: The schema.
        label: The label.
        scores: As for `label_metrics`.
        kept: As for `label_metrics`.
        rows: As for `label_metrics`.
    """
    weight = schema.outcomes.weight_of(label)
    of_row = [kept.get(GROUP), None if weight is None else kept[WEIGHT + weight]]
    labels, scored = kept[LABEL + label][rows], scores[label][rows]
    of_row = [each if each is None else each[rows] for each in of_row]
    if schema.outcomes.several:
        known = ~np.isnan(labels)
        labels, scored = labels[known], scored[known]
        of_row = [each if each is None else each[known] for each in of_row]
    groups, weights = of_row
    return labels, scored, groups, weights


def score_metrics(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> dict[str, float]:
    """Returns the exact metrics of scores.

    Args:
        labels: Labels 0 or 1, `[B]`.
        scores: Click probabilities, `[B]`.
        groups: The group of each row, `[B]`.
        weights: The weight of each row, `[B]`. Defaults to 1. If all are 0, the metrics
            are NaN.

    Returns:
        The metrics that `evaluate` returns; those of groups only with `groups`.

    Raises:
        ValueError: As `tf_ctr.metrics.exact_auc`.

    Example:

    >>> score_metrics([0, 1], [0.5, 0.5])["auc"]
    0.5
    """
    labels = np.asarray(labels)
    rate = float(labels.mean())
    if weights is not None:
        of_row = row_weights(weights, len(labels))
        total = of_row.sum()
        rate = float((of_row * labels).sum() / total) if total else float("nan")
    metrics = {
        "rows": len(labels),
        "click_rate": rate,
        "auc": exact_auc(labels, scores, weights),
        "log_loss": log_loss(labels, scores, weights=weights),
        "calibration": calibration(labels, scores, weights),
    }
    if groups is not None:
        result = exact_gauc(labels, scores, groups, weights)
        metrics["gauc"] = result.gauc
        metrics["groups_used"] = result.groups_used
        metrics["groups_skipped"] = result.groups_skipped
    return metrics


def _undefined(groups: np.ndarray | None) -> dict[str, float]:
    """The metrics of a label that is known in no row."""
    nan = float("nan")
    metrics = dict.fromkeys(("click_rate", "auc", "log_loss", "calibration"), nan)
    if groups is not None:
        metrics |= {"gauc": nan, "groups_used": 0, "groups_skipped": 0}
    return {"rows": 0, **metrics}
