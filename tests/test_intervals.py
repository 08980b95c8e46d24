"""Intervals of metrics: DeLong's against its definition, bootstrap against SciPy."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from tests.support import two_labels
from tf_ctr import evaluation
from tf_ctr.evaluation.importance import T_975
from tf_ctr.evaluation.intervals import auc_interval, metric_intervals


def clicks(rows=80, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % 2  # So that every group has both.
    scores = np.round((labels * 0.2 + generator.random(rows)) / 1.2, 1)  # With ties.
    return labels, np.clip(scores, 0.05, 0.95)


def test_delong_is_the_variance_of_the_definition():
    """DeLong et al. (1988), Eqs. 5 to 8 for one curve, by all pairs."""
    labels, scores = clicks()
    x, y = scores[labels == 1], scores[labels == 0]
    pairs = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    auc = pairs.mean()
    s10 = np.sum((pairs.mean(1) - auc) ** 2) / (len(x) - 1)
    s01 = np.sum((pairs.mean(0) - auc) ** 2) / (len(y) - 1)
    half = stats.norm.ppf(0.975) * np.sqrt(s10 / len(x) + s01 / len(y))
    assert auc == pytest.approx(sk.roc_auc_score(labels, scores))
    assert auc_interval(labels, scores) == pytest.approx((auc - half, auc + half))


def test_an_interval_stays_in_range_and_needs_two_rows_of_each_class():
    assert auc_interval([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]) == (1.0, 1.0)
    assert np.isnan(auc_interval([0, 0, 1], [0.1, 0.2, 0.3])).all()


def test_bootstrap_intervals_are_those_of_scipy():
    """Both are random: 4 % of the width is three standard errors of such an end."""
    labels, scores = clicks(rows=200)
    found = metric_intervals(labels, scores, groups=np.arange(200) // 10)
    losses = -np.log(np.where(labels == 1, scores, 1 - scores))
    users = [slice(i, i + 10) for i in range(0, 200, 10)]
    aucs = np.array([sk.roc_auc_score(labels[u], scores[u]) for u in users])
    statistics = {
        "log_loss": ((losses,), np.mean),
        "calibration": ((scores, labels), lambda p, y: p.sum() / y.sum()),
        "gauc": ((aucs,), np.mean),
    }
    for name, (data, statistic) in statistics.items():
        expected = stats.bootstrap(
            data,
            statistic,
            paired=True,
            vectorized=False,
            method="percentile",
            n_resamples=2000,
            rng=1,
        ).confidence_interval
        width = expected.high - expected.low
        np.testing.assert_allclose(found[name], expected, atol=0.15 * width)


def test_weights_count_as_often_as_rows():
    labels, scores = clicks()
    ones = metric_intervals(labels, scores, weights=np.ones(80))
    exact = auc_interval(labels, scores)
    width = exact[1] - exact[0]
    np.testing.assert_allclose(ones["auc"], exact, atol=0.2 * width)
    halved = metric_intervals(labels, scores, weights=np.full(80, 0.5))
    for name in ("log_loss", "calibration"):
        assert halved[name] == pytest.approx(ones[name])


def test_evaluate_adds_the_ends_of_the_intervals_of_each_label():
    schema, frame = two_labels.schema(), two_labels.rows()
    model = two_labels.build("share_bottom", schema)
    plain = evaluation.evaluate(model, frame, schema)
    found = evaluation.evaluate(model, frame, schema, intervals=True)
    assert {name: found[name] for name in plain} == plain
    for label in two_labels.LABELS:
        for metric in ("auc", "log_loss", "calibration", "gauc"):
            name = f"{label}_{metric}"
            assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
    one = schema.for_label("click")
    alone = evaluation.evaluate(model, frame, one, intervals=True)
    assert alone["auc_low"] == found["click_auc_low"]


def test_the_quantiles_of_students_t_are_those_of_scipy():
    np.testing.assert_allclose(T_975, stats.t.ppf(0.975, np.arange(1, 10)), atol=1e-3)
