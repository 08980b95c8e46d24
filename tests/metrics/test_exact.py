"""The exact metrics, by hand and against scikit-learn."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import tensorflow as tf
from sklearn.calibration import calibration_curve

from tests.support.impressions import GROUPS, LABELS, SCORES, impressions
from tf_ctr.metrics import (
    arrays,
    calibration,
    calibration_error,
    exact_auc,
    exact_gauc,
    log_loss,
    normalized_entropy,
)


def gauc_by_loop(labels, scores, groups):
    total = rows = 0
    for group in np.unique(groups):
        chosen = groups == group
        if 0 < labels[chosen].mean() < 1:
            auc = sklearn.metrics.roc_auc_score(labels[chosen], scores[chosen])
            total, rows = total + chosen.sum() * auc, rows + chosen.sum()
    return total / rows


# Exact AUC


def test_exact_auc_agrees_with_hand_computed_numbers():
    # Pairs in order: (0.3 > 0.1), (0.3 = 0.3, half), (0.8 > both).
    assert exact_auc([0, 0, 1, 1], [0.1, 0.3, 0.3, 0.8]) == 3.5 / 4


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_exact_auc_agrees_with_scikit_learn(ties, weighted):
    labels, scores, weights = impressions(ties=ties)
    weights = weights if weighted else None
    expected = sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights)
    np.testing.assert_allclose(exact_auc(labels, scores, weights), expected, rtol=1e-12)


def test_a_row_of_weight_two_counts_as_two_rows():
    labels, scores, _ = impressions(50, ties=True)
    twice = np.arange(50) % 3 == 0
    repeated = np.repeat(np.arange(50), 1 + twice)
    assert exact_auc(labels, scores, 1 + twice) == pytest.approx(
        exact_auc(labels[repeated], scores[repeated]), abs=1e-14
    )


def test_auc_and_gauc_depend_only_on_the_order_of_scores():
    labels, scores, _ = impressions(ties=True)
    groups = np.arange(len(labels)) % 40
    logits = np.log(scores + 1e-3) * 7
    assert exact_auc(labels, scores) == exact_auc(labels, logits)
    assert exact_gauc(labels, scores, groups) == exact_gauc(labels, logits, groups)


def test_reversed_scores_give_the_complement():
    labels, scores, weights = impressions(ties=True)
    reverse = exact_auc(labels, 1 - scores, weights)
    assert reverse == pytest.approx(1 - exact_auc(labels, scores, weights), abs=1e-12)


def test_metrics_do_not_depend_on_the_order_of_rows():
    labels, scores, weights = impressions(ties=True)
    groups = np.arange(len(labels)) % 40
    mixed = np.random.default_rng(1).permutation(len(labels))
    arguments = [array[mixed] for array in (labels, scores, weights, groups)]
    assert exact_auc(*arguments[:3]) == pytest.approx(
        exact_auc(labels, scores, weights), abs=1e-12
    )
    assert exact_gauc(arguments[0], arguments[1], arguments[3]) == pytest.approx(
        exact_gauc(labels, scores, groups), abs=1e-12
    )


@pytest.mark.parametrize("label", [0, 1])
def test_exact_auc_of_one_class_is_nan(label):
    assert np.isnan(exact_auc([label, label], [0.1, 0.2]))


def test_exact_auc_of_a_class_without_weight_is_nan():
    assert np.isnan(exact_auc([0, 1], [0.1, 0.2], weights=[1, 0]))


# Exact GAUC


def test_exact_gauc_agrees_with_hand_computed_numbers():
    result = exact_gauc(LABELS, SCORES, GROUPS)
    assert result.gauc == pytest.approx((2 * 1 + 3 * 0.5) / 5, abs=1e-15)
    assert result[1:] == (2, 1, 5, 1)


@pytest.mark.parametrize("ties", [False, True])
def test_exact_gauc_equals_a_loop_over_users(ties):
    labels, scores, _ = impressions(ties=ties)
    groups = np.random.default_rng(2).integers(0, 300, len(labels)) ** 2
    result = exact_gauc(labels, scores, groups)
    assert result.gauc == pytest.approx(gauc_by_loop(labels, scores, groups), abs=1e-12)
    assert result.groups_used + result.groups_skipped == len(np.unique(groups))
    assert result.impressions_used + result.impressions_skipped == len(labels)
    assert result.groups_skipped > 0


def test_exact_gauc_of_one_group_is_the_auc():
    labels, scores, _ = impressions(ties=True)
    result = exact_gauc(labels, scores, np.full(len(labels), "ann"))
    assert result == (exact_auc(labels, scores), 1, 0, len(labels), 0)


def test_exact_gauc_without_a_mixed_group_is_nan():
    result = exact_gauc([0, 0, 1], [0.1, 0.2, 0.3], [5, 5, 6])
    assert np.isnan(result.gauc)
    assert result[1:] == (0, 2, 0, 3)


@pytest.mark.parametrize(
    "groups",
    [
        pd.Series(["a", "a", "b", "b", None, None]),
        pd.Series([4.0, 4.0, 9.0, 9.0, np.nan, np.nan]),
        pd.array([4, 4, 9, 9, None, None], dtype="Int64"),
        np.array([0, 0, 1, 1, -1, -1]),
    ],
    ids=["string", "float", "nullable", "code"],
)
def test_rows_without_a_group_are_skipped(groups):
    result = exact_gauc([0, 1, 1, 0, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], groups)
    assert result == (0.5, 2, 0, 4, 2)


def test_gauc_is_nan_if_no_row_has_a_group():
    result = exact_gauc([0, 1], [0.1, 0.2], [-1, -1])
    assert np.isnan(result.gauc)
    assert result[1:] == (0, 0, 0, 2)


# Exact log loss and calibration


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_loss_agrees_with_scikit_learn(dtype):
    labels, scores, _ = impressions()
    scores = scores.astype(dtype)
    # At 0 and 1 the two clip to the machine epsilon of the dtype.
    scores[:4], labels[:4] = [0, 1, 0, 1], [0, 0, 1, 1]
    expected = sklearn.metrics.log_loss(labels, scores)
    assert log_loss(labels, scores) == pytest.approx(expected, rel=1e-6)


def test_log_loss_clips_to_eps():
    assert log_loss([1], [0.0], eps=1e-3) == pytest.approx(-np.log(1e-3))
    assert log_loss([0], [1.0], eps=1e-3) == pytest.approx(-np.log(1e-3))


def test_calibration_agrees_with_hand_computed_numbers():
    assert calibration([1, 0, 0, 0], [0.1, 0.1, 0.2, 0.1]) == pytest.approx(0.5)
    assert np.isnan(calibration([0, 0], [0.1, 0.2]))


# Arrays of all kinds, and errors


@pytest.mark.parametrize(
    "convert",
    [
        list,
        lambda values: np.array(values)[:, None],
        pd.Series,
        tf.constant,
        lambda values: tf.constant(values)[:, None],
    ],
    ids=["list", "column", "pandas", "tensor", "tensor column"],
)
def test_lists_series_and_tensors_are_accepted(convert):
    labels, scores, groups = convert(LABELS), convert(SCORES), convert(GROUPS)
    assert exact_auc(labels, scores) == exact_auc(LABELS, SCORES)
    assert exact_gauc(labels, scores, groups) == exact_gauc(LABELS, SCORES, GROUPS)
    assert log_loss(labels, scores) == pytest.approx(log_loss(LABELS, SCORES), rel=1e-6)
    assert calibration(labels, scores) == pytest.approx(calibration(LABELS, SCORES))


@pytest.mark.parametrize(
    "labels, scores, error, message",
    [
        ([0, 1], [0.5], ValueError, "as many scores as labels"),
        ([], [], ValueError, "at least one row"),
        ([0, 1], [0.5, np.nan], ValueError, "NaN(.|\n)*nan in row 1"),
        ([0, 2], [0.5, 0.5], ValueError, "labels 0 or 1(.|\n)*2.0 in row 1"),
        ([0, np.nan], [0.5, 0.5], ValueError, "labels 0 or 1"),
        (["a", "b"], [0.5, 0.5], TypeError, "numbers as labels"),
        ([[0, 1]], [[0.5, 0.5]], ValueError, r"\[B\] or \[B, 1\](.|\n)*\(1, 2\)"),
    ],
)
@pytest.mark.parametrize("metric", [exact_auc, exact_gauc, log_loss, calibration])
def test_wrong_labels_and_scores_are_errors(metric, labels, scores, error, message):
    arguments = (labels,) if metric is exact_gauc else ()
    with pytest.raises(error, match=f"Expected.*{message}(.|\n)*Fix: "):
        metric(labels, scores, *arguments)


@pytest.mark.parametrize("metric", [log_loss, calibration])
def test_logits_are_refused_as_probabilities(metric):
    with pytest.raises(ValueError, match="(.|\n)*-2.0 in row 1(.|\n)*sigmoid"):
        metric([0, 1], [0.5, -2.0])


@pytest.mark.parametrize(
    "weights, message",
    [
        ([1.0], "as many weights"),
        ([1.0, -1.0], "none negative"),
        ([1.0, np.inf], "finite"),
    ],
)
def test_wrong_weights_are_errors(weights, message):
    with pytest.raises(ValueError, match=message):
        exact_auc([0, 1], [0.1, 0.2], weights)


def test_there_must_be_as_many_groups_as_rows():
    with pytest.raises(ValueError, match="as many groups"):
        exact_gauc([0, 1], [0.1, 0.2], [0])


def test_log_loss_of_a_wrong_certainty_without_clipping_is_infinite():
    assert log_loss([1, 0], [1.0, 1.0], eps=0.0) == np.inf
    assert log_loss([1, 0], [1.0, 0.0], eps=0.0) == 0.0


def test_normalized_entropy_is_the_log_loss_over_that_of_the_rate():
    labels, scores = np.array([1, 0, 0, 1, 0]), np.array([0.7, 0.2, 0.4, 0.9, 0.3])
    weights = np.array([1.0, 2.0, 0.5, 3.0, 1.0])
    rate = np.full(5, np.average(labels, weights=weights))
    expected = sklearn.metrics.log_loss(
        labels, scores, sample_weight=weights
    ) / sklearn.metrics.log_loss(labels, rate, sample_weight=weights)
    assert normalized_entropy(labels, scores, weights) == pytest.approx(expected)
    assert np.isnan(normalized_entropy([1, 1], [0.5, 0.6]))


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
def test_the_calibration_error_is_that_of_the_bins_of_scikit_learn(strategy):
    generator = np.random.default_rng(0)
    scores = generator.random(200)
    labels = (generator.random(200) < scores**2).astype(int)
    rates, means = calibration_curve(labels, scores, n_bins=5, strategy=strategy)
    edges = np.linspace(0, 1, 6)[1:-1]
    if strategy == "quantile":
        edges = np.quantile(scores, edges)
    counts = np.bincount(np.searchsorted(edges, scores))
    expected = np.average(abs(rates - means), weights=counts)
    found = calibration_error(labels, scores, bins=5, strategy=strategy)
    assert found == pytest.approx(expected)
    twice = calibration_error(
        labels, scores, np.full(200, 2.0), bins=5, strategy=strategy
    )
    assert twice == pytest.approx(found)
    with pytest.raises(ValueError, match="one of 'quantile', 'uniform'"):
        calibration_error(labels, scores, strategy="width")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairs_are_counted_across_blocks(dtype, weighted, monkeypatch):
    """Runs of equal scores and groups go on in the next block."""
    rng = np.random.default_rng(4)
    size = 120
    labels = rng.integers(0, 2, size)
    scores = rng.choice([-2.0, -0.0, 0.0, 1e-40, 0.25, np.inf], size).astype(dtype)
    groups = rng.choice([-1, 0, 1, 5], size, p=[0.1, 0.7, 0.1, 0.1]).astype(np.int32)
    weights = rng.integers(0, 3, size) if weighted else None
    rows = np.ones(size) if weights is None else weights

    def won(of):
        """The won weight and the weight of all pairs, pair by pair."""
        pairs = [
            (rows[i] * rows[j], (scores[i] > scores[j]) + (scores[i] == scores[j]) / 2)
            for i in np.flatnonzero(of & (labels == 1))
            for j in np.flatnonzero(of & (labels == 0))
        ]
        return sum(w * s for w, s in pairs), sum(w for w, _ in pairs)

    per_group = {g: won(groups == g) for g in (0, 1, 5)}
    total = {g: rows[groups == g].sum() for g in (0, 1, 5)}
    expected = sum(total[g] * w / p for g, (w, p) in per_group.items())
    all_won, all_pairs = won(np.ones(size, bool))
    for block in (1, 3, 1 << 20):
        monkeypatch.setattr(arrays, "BLOCK", block)
        assert exact_auc(labels, scores, weights) == pytest.approx(all_won / all_pairs)
        found = exact_gauc(labels, scores, groups, weights)
        assert found.gauc == pytest.approx(expected / sum(total.values()))
        assert found[1:3] == (3, 0)
        assert found.impressions_used == (groups >= 0).sum()


def test_metrics_of_codes_take_little_memory(monkeypatch):
    monkeypatch.setattr(arrays, "BLOCK", 1 << 10)
    rng = np.random.default_rng(0)
    size = 50_000
    scores = rng.random(size, np.float32)
    labels = rng.integers(0, 2, size).astype(np.float32)
    codes = rng.integers(-1, 50, size).astype(np.int32)
    tracemalloc.start()
    try:
        exact_gauc(labels, scores, codes)
        exact_auc(labels, scores)
        log_loss(labels, scores)
        calibration(labels, scores)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / size < 16
