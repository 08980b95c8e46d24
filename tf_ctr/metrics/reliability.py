"""How far probabilities are from rates, and from what the mean rate would give."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from tf_ctr.errors import check_choice, check_count
from tf_ctr.metrics.arrays import labels_and_probabilities, row_weights
from tf_ctr.metrics.logloss import log_loss


def normalized_entropy(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Returns the log loss over that of predicting the mean click rate for every row.

    Below 1 the scores tell more than the click rate. Unlike the log loss, it compares
    data sets of different click rates.

    Source: He et al., Practical Lessons from Predicting Clicks on Ads at Facebook
    (ADKDD 2014), Eq. 1.

    Args:
        labels: Labels 0 or 1, `[B]` or `[B, 1]`.
        scores: Click probabilities, of the same length.
        weights: Weights of the same length. Defaults to 1.

    Returns:
        The ratio; NaN if only one class has weight.

    Raises:
        ValueError: As `tf_ctr.metrics.log_loss`.
        TypeError: As `tf_ctr.metrics.log_loss`.

    Example:

    >>> from tf_ctr.metrics import normalized_entropy
    >>> normalized_entropy([1, 0, 0, 0], [0.25] * 4)
    1.0
    """
    loss = log_loss(labels, scores, weights=weights)
    clicked, _ = labels_and_probabilities(labels, scores)
    of_row = row_weights(weights, len(clicked))
    total, clicks = of_row.sum(), (of_row * clicked).sum()
    if not 0 < clicks < total:
        return float("nan")
    rate = clicks / total
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    return float(loss / entropy)


def calibration_error(
    labels: ArrayLike,
    scores: ArrayLike,
    weights: ArrayLike | None = None,
    bins: int = 15,
    strategy: Literal["quantile", "uniform"] = "quantile",
) -> float:
    """Returns the expected calibration error, ECE: the mean distance of score and rate.

    The rows are put into bins by their scores; in each bin, the mean score is compared
    with the click rate, and the distances are averaged by the weights of the bins.

    Source: Guo et al., On Calibration of Modern Neural Networks (ICML 2017, arXiv
    1706.04599), Eq. 3, whose bins are `"uniform"`. At low click rates nearly all scores
    are in the first of these, so the default has bins of equally many rows.

    Args:
        labels: Labels 0 or 1, `[B]` or `[B, 1]`.
        scores: Click probabilities, of the same length.
        weights: Weights of the same length. Defaults to 1.
        bins: Number of bins.
        strategy: `"quantile"`: as many rows in each, and equal scores in one;
            `"uniform"`: of equal width, from 0 to 1.

    Returns:
        The error, from 0 to 1; NaN if all weights are 0.

    Raises:
        ValueError: As `tf_ctr.metrics.calibration`, or for a wrong argument.
        TypeError: For values that are not numbers.

    Example:

    >>> from tf_ctr.metrics import calibration_error
    >>> calibration_error([1, 0, 1, 1], [0.25, 0.25, 0.75, 0.75], bins=2)
    0.25
    """
    check_count("bins", bins, 1)
    check_choice("strategy", strategy, ("quantile", "uniform"))
    clicked, rates = labels_and_probabilities(labels, scores)
    of_row = row_weights(weights, len(clicked))
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    if strategy == "quantile":
        edges = np.quantile(rates, edges)
    of_bin = np.searchsorted(edges, rates, side="left")
    gaps = np.bincount(of_bin, of_row * (rates - clicked), bins)
    total = of_row.sum()
    return float(np.abs(gaps).sum() / total) if total else float("nan")
