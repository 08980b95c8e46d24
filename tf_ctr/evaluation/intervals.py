"""Intervals of metrics, so that a user knows which difference is noise."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tf_ctr.evaluation.of_scores import label_arrays
from tf_ctr.features import Schema
from tf_ctr.metrics import exact_auc
from tf_ctr.metrics.arrays import (
    labels_and_probabilities,
    labels_and_scores,
    row_weights,
)
from tf_ctr.metrics.pairs import count_pairs, group_codes

# The quantile of the normal distribution for 95 %.
Z = 1.959963984540054
RESAMPLES = 1000


def auc_interval(labels: ArrayLike, scores: ArrayLike) -> tuple[float, float]:
    """Returns the 95 % interval of an AUC, by its variance of DeLong.

    Source: DeLong et al., Comparing the Areas under Two or More Correlated Receiver
    Operating Characteristic Curves (Biometrics 1988), by the ranks of Sun and Xu, Fast
    Implementation of DeLong's Algorithm (IEEE Signal Processing Letters 2014), Eqs. 3
    and 5.

    Args:
        labels: Labels 0 or 1, `[B]`.
        scores: Scores, `[B]`.

    Returns:
        The lower and the upper end, within [0, 1]; NaN with fewer than two rows of a
        class.

    Raises:
        ValueError: As `tf_ctr.metrics.exact_auc`.

    Example:

    >>> low, high = auc_interval([0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    >>> round(low, 3), round(high, 3)
    (0.133, 1.0)
    """
    labels, scores = labels_and_scores(labels, scores)
    clicks, others = scores[labels == 1], scores[labels == 0]
    m, n = len(clicks), len(others)
    if min(m, n) < 2:
        return float("nan"), float("nan")
    # The share of the other class that each row beats; a tie is half.
    ranks = _midranks(np.concatenate([clicks, others]))
    won = (ranks[:m] - _midranks(clicks)) / n
    lost = 1 - (ranks[m:] - _midranks(others)) / m
    half = Z * np.sqrt(won.var(ddof=1) / m + lost.var(ddof=1) / n)
    auc = won.mean()
    return float(max(auc - half, 0)), float(min(auc + half, 1))


def label_intervals(
    schema: Schema,
    scores: Mapping[str, np.ndarray],
    kept: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """Returns the ends of the intervals of all metrics, e.g. `auc_low`.

    Args:
        schema: The schema; with several labels, names begin with the label.
        scores: `{label: scores [B]}`.
        kept: What was kept of the rows by `labels_and_groups`.
    """
    ends = {}
    for label in schema.label_names:
        labels, own, groups, weights = label_arrays(schema, label, scores, kept)
        if not len(labels):
            continue
        prefix = f"{label}_" if schema.outcomes.several else ""
        for name, both in metric_intervals(labels, own, groups, weights).items():
            for end, value in zip(("low", "high"), both, strict=True):
                ends[f"{prefix}{name}_{end}"] = value
    return ends


def metric_intervals(
    labels: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Returns the 95 % intervals of the metrics of `score_metrics`.

    That of the AUC is DeLong's; the others are percentiles of 1000 bootstrap samples:
    of rows, for GAUC of groups. Rows with weights have no interval of the AUC by
    DeLong, and get one by bootstrap, of 200 samples.

    Args:
        labels: Labels, `[B]`.
        scores: Probabilities, `[B]`.
        groups: The group of each row, `[B]`; -1 for none.
        weights: The weight of each row, `[B]`.
        seed: The seed of the samples.
    """
    generator = np.random.default_rng(seed)
    clicked, rates = labels_and_probabilities(labels, scores)
    of_row = row_weights(weights, len(clicked))
    eps = np.finfo(scores.dtype if scores.dtype.kind == "f" else np.float64).eps
    clipped = np.clip(rates, eps, 1 - eps)
    losses = -np.log(np.where(clicked == 1, clipped, 1 - clipped))
    sums = [of_row * losses, of_row, of_row * rates, of_row * clicked]
    drawn = _bootstrap(np.stack(sums, axis=1), generator)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "log_loss": drawn[:, 0] / drawn[:, 1],
            "calibration": drawn[:, 2] / drawn[:, 3],
        }
        if groups is not None:
            pairs = _of_groups(clicked, rates, of_row, groups)
            drawn = _bootstrap(pairs, generator)
            found["gauc"] = drawn[:, 0] / drawn[:, 1]
    intervals = {"auc": auc_interval(labels, scores)} if weights is None else {}
    if weights is not None:
        found["auc"] = _auc_samples(clicked, rates, of_row, generator)
    intervals |= {name: _percentiles(values) for name, values in found.items()}
    return {name: intervals[name] for name in ("auc", *found) if name in intervals}


def _midranks(values: np.ndarray) -> np.ndarray:
    return pd.Series(values).rank().to_numpy()


def _bootstrap(sums: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Returns the sums of each sample of the rows, `[RESAMPLES, S]`, of `[B, S]`."""
    count = len(sums)
    if not count:
        return np.full((1, sums.shape[1]), np.nan)
    drawn = np.empty((RESAMPLES, sums.shape[1]))
    for each in drawn:
        # How often each row is drawn: less memory to read than the rows drawn.
        times = np.bincount(generator.integers(0, count, count), minlength=count)
        each[:] = times @ sums
    return drawn


def _of_groups(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Returns `[weight * AUC, weight]` of each group with both classes, `[G, 2]`."""
    codes = group_codes(groups)
    num_groups = int(codes.max(initial=-1)) + 1
    clicks, others, won = count_pairs(labels == 1, scores, weights, codes, num_groups)
    mixed = clicks * others > 0
    total = (clicks + others)[mixed]
    return np.stack([total * won[mixed] / (clicks * others)[mixed], total], axis=1)


def _auc_samples(labels, scores, weights, generator):
    count = len(labels)
    found = np.empty(RESAMPLES // 5)
    for index in range(len(found)):
        rows = generator.integers(0, count, count)
        found[index] = exact_auc(labels[rows], scores[rows], weights[rows])
    return found


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)
