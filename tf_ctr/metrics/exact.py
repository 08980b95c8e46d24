"""Exact AUC and GAUC of whole arrays, in NumPy."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tf_ctr.metrics.arrays import check_length, flat, labels_and_scores, row_weights


class GroupAUC(NamedTuple):
    """The result of `exact_gauc`, and the number of groups and rows behind it.

    Attributes:
        gauc: The impression-weighted mean of the AUC per group.
        groups_used: Number of groups with clicks and non-clicks.
        groups_skipped: Number of groups with one class only.
        impressions_used: Number of rows in the groups used.
        impressions_skipped: Number of all other rows, including those without a group.
    """

    gauc: float
    groups_used: int
    groups_skipped: int
    impressions_used: int
    impressions_skipped: int


def exact_auc(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Returns the area under the ROC curve, like `sklearn.metrics.roc_auc_score`.

    It is the probability that a click scores higher than a non-click, where ties count
    half. Any increasing transform of the scores, e.g. logits, gives the same AUC.

    Args:
        labels: Labels 0 or 1, `[B]` or `[B, 1]`.
        scores: Scores of the same length, without NaN.
        weights: Weights of the same length. Defaults to 1.

    Returns:
        The AUC; NaN if the weight of one class is 0.

    Raises:
        ValueError: For different lengths, no row, a label that is not 0 or 1, a NaN
            score, or a weight that is negative or not finite.
        TypeError: For values that are not numbers.

    Example:

    >>> from tf_ctr.metrics import exact_auc
    >>> exact_auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])  # 3.5 of the 4 pairs
    0.875
    """
    labels, scores = labels_and_scores(labels, scores)
    weights = row_weights(weights, len(labels))
    one_group = np.zeros(len(labels), np.int8)
    ((clicks,), (others,), (won,)) = pairs_by_group(labels, scores, weights, one_group)
    return float(won / (clicks * others)) if clicks * others else float("nan")


def exact_gauc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
) -> GroupAUC:
    """Returns the AUC within groups, averaged with their impressions as weights.

    Groups with one class only have no AUC and are left out, as in FuxiCTR. So are rows
    without a group: None, NaN, or -1, which is the code of a missing value in
    `pandas.factorize` and `Schema.groups`.

    Source: Zhu et al., Optimized Cost per Click in Taobao Display Advertising (KDD
    2017).

    Args:
        labels: Labels 0 or 1, `[B]` or `[B, 1]`.
        scores: Scores of the same length, without NaN.
        groups: The group of each row, e.g. its user: numbers or strings.
        weights: Weights of the same length. Defaults to 1. A group weighs as much as
            its rows together, and has a class only if a row of it weighs more than 0.

    Returns:
        A `GroupAUC`; its `gauc` is NaN if every group has one class only.

    Raises:
        ValueError: For different lengths, no row, a label that is not 0 or 1, a NaN
            score, or a weight that is negative or not finite.
        TypeError: For labels or scores that are not numbers.

    Example:

    >>> from tf_ctr.metrics import exact_gauc
    >>> users = ["ann", "ann", "bob", "bob", "bob", "eve"]
    >>> exact_gauc([0, 1, 1, 0, 0, 1], [0.1, 0.2, 0.5, 0.6, 0.4, 0.9], users)
    GroupAUC(gauc=0.7, groups_used=2, groups_skipped=1,
             impressions_used=5, impressions_skipped=1)
    """
    labels, scores = labels_and_scores(labels, scores)
    of_row = row_weights(weights, len(labels))
    groups = flat("groups", groups)
    check_length("groups", groups, len(labels))
    codes = np.where(groups == -1, -1, pd.factorize(groups)[0])
    known = codes >= 0
    if not known.any():
        return GroupAUC(float("nan"), 0, 0, 0, len(labels))
    codes = codes[known]
    clicks, others, won = pairs_by_group(
        labels[known], scores[known], of_row[known], codes
    )
    mixed = clicks * others > 0
    rows = clicks + others
    if weights is not None:
        # In ascending order of the codes, as the sums above.
        rows = np.unique(codes, return_counts=True)[1]
    used = int(rows[mixed].sum())
    gauc = float("nan")
    if used:
        aucs = won[mixed] / (clicks * others)[mixed]
        gauc = float(np.average(aucs, weights=(clicks + others)[mixed]))
    return GroupAUC(
        gauc, int(mixed.sum()), int((~mixed).sum()), used, len(labels) - used
    )


def pairs_by_group(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, groups: np.ndarray
) -> list[np.ndarray]:
    """Returns, by group, the weights of clicks, of non-clicks, and of won pairs.

    A pair of a click and a non-click is won if the click has the higher score, and
    half won if they are equal.
    """
    order = np.lexsort((scores, groups))
    groups, scores = groups[order], scores[order]
    clicks = (weights * labels)[order]
    others = (weights * (1 - labels))[order]
    # One entry per run of equal scores in a group, so that ties can count half.
    ties = _starts(groups, scores)
    first = _starts(groups[ties])
    clicks = np.add.reduceat(clicks, ties)
    others = np.add.reduceat(others, ties)
    below = np.cumsum(others) - others
    # The cumulative sum runs over all groups: subtract the sum before each group.
    below -= np.repeat(below[first], np.diff(first, append=len(ties)))
    won = clicks * (below + others / 2)
    return [np.add.reduceat(sums, first) for sums in (clicks, others, won)]


def _starts(*keys: np.ndarray) -> np.ndarray:
    """Returns the rows at which a run of equal keys starts."""
    changes = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.flatnonzero(np.append(True, changes))
