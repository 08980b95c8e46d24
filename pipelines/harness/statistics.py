"""Is one method better than another? Tests over seeds, bootstrap over test rows.

The two answer different questions: would other seeds of weights and shuffling change
the order of the methods, and would other test rows?
"""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tf_ctr.errors import explain


class PairedTests(NamedTuple):
    """A method against a baseline, seed by seed.

    Attributes:
        difference: Mean of method minus baseline.
        t_test: Two-sided p-value of the paired t-test; NaN for one seed.
        wilcoxon: Two-sided p-value of the Wilcoxon signed-rank test; NaN for one
            seed. With n seeds it is never below 2 / 2^n, so 0.0625 for five.
    """

    difference: float
    t_test: float
    wilcoxon: float


class Interval(NamedTuple):
    """A difference and its bootstrap interval."""

    difference: float
    low: float
    high: float


def paired_tests(method: Sequence[float], baseline: Sequence[float]) -> PairedTests:
    """Compares two methods that were run with the same seeds.

    Args:
        method: A metric of the method per seed, `[S]`.
        baseline: The metric of the baseline, in the same order of seeds.

    Returns:
        `PairedTests`; if there is no difference, both p-values are 1.

    Raises:
        ValueError: For different numbers of seeds, or none.

    Example:

    >>> paired_tests([0.79, 0.80, 0.78], [0.78, 0.78, 0.77])
    PairedTests(difference=0.0133..., t_test=0.0571..., wilcoxon=0.25)
    """
    method, baseline = np.asarray(method, "float64"), np.asarray(baseline, "float64")
    if method.ndim != 1 or method.shape != baseline.shape or not len(method):
        raise ValueError(
            explain(
                "one number per seed, for the same seeds",
                f"shapes {method.shape} and {baseline.shape}",
                "run both methods with the same seeds",
            )
        )
    difference = method - baseline
    mean = float(difference.mean())
    if len(difference) == 1:
        return PairedTests(mean, float("nan"), float("nan"))
    if not difference.any():
        return PairedTests(mean, 1.0, 1.0)
    return PairedTests(mean, _t_test(difference), _wilcoxon(difference))


def _t_test(difference):
    if np.ptp(difference) == 0:  # Without spread, t is infinite.
        return 0.0
    from scipy import stats  # Late, so that `--help` needs no extra.

    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def _wilcoxon(difference):
    from scipy import stats

    # Rounded, so that equal differences share a rank despite floating point errors.
    return float(stats.wilcoxon(difference.round(12)).pvalue)


def bootstrap_auc_difference(
    labels: np.ndarray,
    method: np.ndarray,
    baseline: np.ndarray,
    resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Returns the percentile interval of an AUC difference over test rows.

    Every resample draws the rows with replacement, the same rows for all models, and
    computes the AUC of each; with several seeds, the differences are averaged. The
    models are fixed: the interval does not cover that another training would give
    other models. Rows count as independent, which rows of one user are not quite.

    A resample is a weight per row, so the scores are sorted only once.

    Args:
        labels: Labels 0 or 1, `[N]`.
        method: Scores of the method, `[N]`, or `[S, N]` with a row per seed.
        baseline: Scores of the baseline, of the same shape, with the same seeds.
        resamples: Number of resamples.
        confidence: Probability that the interval covers.
        seed: Seed of the resampling.

    Returns:
        `Interval`; its difference is that of the rows without resampling.

    Raises:
        ValueError: For shapes that do not fit.

    Example:

    >>> labels, good, bad = [0, 1] * 50, [0.1, 0.9] * 50, [0.5, 0.5] * 50
    >>> bootstrap_auc_difference(labels, good, bad)
    Interval(difference=0.5, low=0.5, high=0.5)
    """
    labels = np.asarray(labels, bool)
    method, baseline = np.atleast_2d(method), np.atleast_2d(baseline)
    if method.shape != baseline.shape or method.shape[1:] != labels.shape:
        raise ValueError(
            explain(
                "scores [N] or [S, N] of both methods for the labels [N]",
                f"{method.shape}, {baseline.shape} and {labels.shape}",
                "score the same test rows with the same seeds",
            )
        )
    curves = [WeightedAUC(labels, scores) for scores in (*method, *baseline)]
    signs = np.repeat([1.0, -1.0], len(method)) / len(method)
    generator = np.random.default_rng(seed)
    rows = len(labels)

    def difference(weights):
        return float(signs @ [curve(weights) for curve in curves])

    drawn = [
        difference(np.bincount(generator.integers(rows, size=rows), minlength=rows))
        for _ in range(resamples)
    ]
    tail = (1 - confidence) / 2
    # A resample may lack a class in a tiny test set: it has no AUC.
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return Interval(difference(np.ones(rows)), float(low), float(high))


class WeightedAUC:
    """The AUC of fixed scores as a function of the rows' weights.

    Equal to `tf_ctr.metrics.exact_auc`, which sorts in every call; this sorts once.

    Args:
        labels: Labels 0 or 1, `[N]`.
        scores: Scores, `[N]`.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray) -> None:
        labels, scores = np.asarray(labels, bool), np.asarray(scores)
        self._clicks, others = np.flatnonzero(labels), np.flatnonzero(~labels)
        self._others = others[np.argsort(scores[others])]
        ranked, clicked = scores[self._others], scores[self._clicks]
        self._below = np.searchsorted(ranked, clicked, "left")
        self._not_above = np.searchsorted(ranked, clicked, "right")

    def __call__(self, weights: np.ndarray) -> float:
        """Returns the AUC for weights `[N]`; NaN if a class has no weight."""
        clicks = weights[self._clicks]
        others = np.append(0.0, np.cumsum(weights[self._others]))
        won = clicks @ (others[self._below] + others[self._not_above]) / 2
        pairs = clicks.sum() * others[-1]
        return won / pairs if pairs else np.nan


def interval(
    labels: np.ndarray,
    score_paths: Sequence[pathlib.Path],
    baseline_paths: Sequence[pathlib.Path],
) -> dict[str, float] | None:
    """Returns the bootstrap interval of the AUC difference of two rows.

    Args:
        labels: Labels of the test rows, `[N]`.
        score_paths: The `.npy` files of the row's scores, one per seed.
        baseline_paths: The files of the baseline, in the same order of seeds.

    Returns:
        `{difference, low, high}`; `None` if a file is missing, as for results copied
        without their run folder, which keep the intervals that they have.
    """
    if not all(path.exists() for path in (*score_paths, *baseline_paths)):
        return None
    scores, baseline = (
        np.stack([np.load(path) for path in paths])
        for paths in (score_paths, baseline_paths)
    )
    return bootstrap_auc_difference(labels, scores, baseline)._asdict()


def seeds_interval(
    own: Sequence[tuple[np.ndarray, np.ndarray]],
    other: Sequence[tuple[np.ndarray, np.ndarray]],
) -> Interval:
    """Returns the interval of an AUC difference, averaged over seeds.

    If all seeds have the same test rows, these are resampled together. If each seed
    has its own rows, the seeds are independent.

    Args:
        own: `(labels [N], scores [N])` of a row, one pair per seed.
        other: The same of the row to compare with, with the same seeds and labels.
    """
    labels = [each[0] for each in own]
    if all(np.array_equal(labels[0], each) for each in labels):
        scores = (np.stack([each[1] for each in row]) for row in (own, other))
        return bootstrap_auc_difference(labels[0], *scores)
    parts = [
        bootstrap_auc_difference(label, one[1], two[1])
        for label, one, two in zip(labels, own, other, strict=True)
    ]
    difference = float(np.mean([part.difference for part in parts]))
    widths = [(part.high - part.low) / 2 for part in parts]
    margin = float(np.linalg.norm(widths) / len(parts))
    return Interval(difference, difference - margin, difference + margin)
