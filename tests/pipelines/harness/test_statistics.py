"""Tests and intervals by hand, by SciPy, and by scikit-learn."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from pipelines.harness.statistics import (
    WeightedAUC,
    bootstrap_auc_difference,
    interval,
    paired_tests,
    seeds_interval,
)


def clicks(rows=400, seed=0):
    """Labels, good scores and poorer ones, both rounded so that there are ties."""
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < 0.4
    good = (labels + rng.normal(size=rows)).round(1)
    poor = (0.3 * labels + rng.normal(size=rows)).round(1)
    return labels, good, poor


def test_paired_tests_agree_with_hand_computed_numbers():
    """Differences 1, 2, 3: t = 2 / (1 / sqrt 3); one of 8 sign patterns, two-sided."""
    tests = paired_tests([11.0, 12.0, 13.0], [10.0, 10.0, 10.0])
    assert tests.difference == 2.0
    assert tests.t_test == pytest.approx(2 * stats.t.sf(2 * np.sqrt(3), df=2))
    assert tests.wilcoxon == 0.25


def test_paired_tests_agree_with_scipy():
    rng = np.random.default_rng(1)
    method, baseline = rng.normal(size=(2, 8))
    tests = paired_tests(method, baseline)
    assert tests.t_test == pytest.approx(stats.ttest_rel(method, baseline).pvalue)
    assert tests.wilcoxon == pytest.approx(stats.wilcoxon(method, baseline).pvalue)
    turned = paired_tests(baseline, method)
    assert turned.difference == -tests.difference
    assert turned[1:] == tests[1:]


def test_five_seeds_never_give_a_wilcoxon_below_a_sixteenth():
    tests = paired_tests([0.81, 0.82, 0.84, 0.83, 0.85], [0.1] * 5)
    assert tests.wilcoxon == 0.0625
    assert tests.t_test < 1e-6


def test_one_seed_has_no_p_value_and_equal_methods_have_a_p_value_of_one():
    single = paired_tests([0.8], [0.7])
    assert single.difference == pytest.approx(0.1)
    assert np.isnan([single.t_test, single.wilcoxon]).all()
    assert paired_tests([0.8, 0.7], [0.8, 0.7]) == (0.0, 1.0, 1.0)


def test_the_same_difference_in_every_seed_has_a_p_value_of_zero():
    assert paired_tests([1.0, 2.0, 3.0], [0.0, 1.0, 2.0]).t_test == 0.0


def test_paired_tests_need_the_same_seeds():
    with pytest.raises(ValueError, match="run both methods with the same seeds"):
        paired_tests([0.8, 0.7], [0.8])


def test_weighted_auc_agrees_with_scikit_learn():
    labels, scores, _ = clicks()
    weights = np.random.default_rng(2).integers(0, 4, len(labels))
    expected = roc_auc_score(labels, scores, sample_weight=weights)
    assert WeightedAUC(labels, scores)(weights) == pytest.approx(expected)


def test_weighted_auc_agrees_with_hand_computed_numbers():
    """Of the weight 2 * 3 of pairs, the tie counts half: 2 * (2 + 1 / 2)."""
    auc = WeightedAUC([1, 0, 0], [0.5, 0.1, 0.5])
    assert auc(np.array([2, 2, 1])) == pytest.approx(5 / 6)
    assert np.isnan(auc(np.array([0, 1, 1])))


def test_difference_agrees_with_scikit_learn_averaged_over_seeds():
    labels, good, poor = clicks()
    other = good[::-1]
    found = bootstrap_auc_difference(labels, [good, other], [poor, poor], resamples=2)
    aucs = [roc_auc_score(labels, scores) for scores in (good, other, poor)]
    assert found.difference == pytest.approx(np.mean(aucs[:2]) - aucs[2])


def rank_auc(labels, scores):
    """Mann and Whitney's U of the clicks, by mean ranks."""
    clicks = labels.sum()
    ranks = stats.rankdata(scores) @ labels
    return (ranks - clicks * (clicks + 1) / 2) / (clicks * (len(labels) - clicks))


def test_interval_agrees_with_the_bootstrap_of_scipy():
    labels, good, poor = clicks()
    expected = stats.bootstrap(
        (labels, good, poor),
        lambda labels, *scores: (
            rank_auc(labels, scores[0]) - rank_auc(labels, scores[1])
        ),
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    found = bootstrap_auc_difference(labels, good, poor, resamples=1000)
    # Two bootstraps differ by chance; the interval is about 0.16 wide.
    assert found.low == pytest.approx(expected.low, abs=0.015)
    assert found.high == pytest.approx(expected.high, abs=0.015)


def test_a_method_against_itself_has_an_interval_of_zero_width():
    labels, good, _ = clicks()
    assert bootstrap_auc_difference(labels, good, 2 * good) == (0.0, 0.0, 0.0)


def test_interval_narrows_with_rows_and_widens_with_confidence():
    few = bootstrap_auc_difference(*clicks(200))
    many = bootstrap_auc_difference(*clicks(20_000))
    assert many.high - many.low < 0.3 * (few.high - few.low)
    sure = bootstrap_auc_difference(*clicks(200), confidence=0.99)
    assert sure.high - sure.low > few.high - few.low


def test_bootstrap_needs_the_same_rows():
    labels, good, poor = clicks()
    with pytest.raises(ValueError, match="score the same test rows"):
        bootstrap_auc_difference(labels, good, poor[:-1])


def test_interval_reads_the_scores_of_every_seed(tmp_path):
    labels, good, poor = clicks()
    paths = [tmp_path / f"{name}.npy" for name in ("good", "poor")]
    np.save(paths[0], good)
    assert interval(labels, paths[:1], paths[1:]) is None
    np.save(paths[1], poor)
    expected = bootstrap_auc_difference(labels, good, poor)._asdict()
    assert interval(labels, paths[:1], paths[1:]) == expected


def test_seeds_with_rows_of_their_own_are_independent():
    rng = np.random.default_rng(0)

    def world(rows):
        labels = rng.integers(0, 2, rows)
        noise = rng.normal(size=(2, rows))
        return (labels, labels + noise[0]), (labels, labels + 2 * noise[1])

    own, other = zip(*(world(400) for _ in range(3)), strict=True)
    found = seeds_interval(own, other)
    parts = [
        bootstrap_auc_difference(a[0], a[1], b[1])
        for a, b in zip(own, other, strict=True)
    ]
    assert found.difference == pytest.approx(np.mean([p.difference for p in parts]))
    widths = [p.high - p.low for p in parts]
    # A mean of three independent ones has a variance of a third of theirs.
    expected = np.sqrt(np.mean(np.square(widths)) / 3)
    assert found.high - found.low == pytest.approx(expected)
    alike = seeds_interval(own[:1] * 3, other[:1] * 3)
    # The same rows thrice are no more than once.
    assert alike.high - alike.low == pytest.approx(widths[0])
