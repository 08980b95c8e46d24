"""Exact AUC and GAUC of whole arrays, in NumPy."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tf_ctr.metrics.arrays import (
    blocks,
    check_length,
    flat,
    labels_and_ranks,
    row_weights,
)
from tf_ctr.metrics.pairs import count_pairs, group_codes


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
    clicked, ranks = labels_and_ranks(labels, scores)
    if weights is not None:
        weights = row_weights(weights, len(clicked))
    clicks, others, won = count_pairs(clicked, ranks, weights, None, num_groups=1)
    pairs = float(clicks[0] * others[0])
    return float(won[0]) / pairs if pairs else float("nan")


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
    clicked, ranks = labels_and_ranks(labels, scores)
    if weights is not None:
        weights = row_weights(weights, len(clicked))
    groups = flat("groups", groups)
    check_length("groups", groups, len(clicked))
    codes = group_codes(groups)
    num_groups = int(codes.max()) + 1
    if not num_groups:
        return GroupAUC(float("nan"), 0, 0, 0, len(codes))
    clicks, others, won = count_pairs(clicked, ranks, weights, codes, num_groups)
    rows = np.zeros(num_groups, np.int64)
    for own in blocks(len(codes)):
        # A code of -1 becomes 0, and is left out.
        block = codes[own].astype(np.int64) + 1
        rows += np.bincount(block, minlength=num_groups + 1)[1:]
    mixed = clicks * others > 0
    used = int(rows[mixed].sum())
    gauc = float("nan")
    if used:
        aucs = won[mixed] / (clicks * others)[mixed]
        gauc = float(np.average(aucs, weights=(clicks + others)[mixed]))
    skipped = int((rows > 0).sum() - mixed.sum())
    return GroupAUC(gauc, int(mixed.sum()), skipped, used, len(codes) - used)
