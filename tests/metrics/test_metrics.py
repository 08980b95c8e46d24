import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import tensorflow as tf

from tf_ctr.metrics import (
    AUC,
    GAUC,
    Calibration,
    LogLoss,
    calibration,
    exact_auc,
    exact_gauc,
    log_loss,
)

# Two groups of both classes (AUC 1 of 2 rows, 1/2 of 3 rows), one of clicks only.
LABELS = [0, 1, 1, 0, 0, 1]
SCORES = [0.1, 0.2, 0.5, 0.6, 0.4, 0.9]
GROUPS = [0, 0, 1, 1, 1, 2]


def impressions(rows=2000, click_rate=0.3, ties=False, seed=0):
    """Random labels whose chance rises with the score, and weights."""
    rng = np.random.default_rng(seed)
    logits = np.log(click_rate / (1 - click_rate)) + rng.normal(size=rows)
    scores = 1 / (1 + np.exp(-logits))
    labels = (rng.random(rows) < scores).astype("float32")
    scores = scores.round(1) if ties else scores
    return labels, scores, rng.uniform(0, 3, rows)


def skewed(rows=50_000, click_rate=0.01):
    """Scores at the quantiles of a logistic curve, every k-th row a click, no RNG.

    The upper half of the scores has more clicks than the lower one.
    """
    quantiles = (np.arange(rows) + 0.5) / rows
    logits = np.log(click_rate / (1 - click_rate)) + np.log(quantiles / (1 - quantiles))
    period = np.where(quantiles > 0.5, 0.75, 1.5) / click_rate
    labels = np.arange(rows) % period.astype(int) == 0
    return labels.astype("float32"), 1 / (1 + np.exp(-logits))


def gauc_by_loop(labels, scores, groups):
    total = rows = 0
    for group in np.unique(groups):
        chosen = groups == group
        if 0 < labels[chosen].mean() < 1:
            auc = sklearn.metrics.roc_auc_score(labels[chosen], scores[chosen])
            total, rows = total + chosen.sum() * auc, rows + chosen.sum()
    return total / rows


def streamed(metric, labels, scores, weights=None):
    """The result after batches of different sizes."""
    for rows in (slice(0, 700), slice(700, 1999), slice(1999, None)):
        sample_weight = None if weights is None else weights[rows]
        metric.update_state(labels[rows], scores[rows], sample_weight=sample_weight)
    return float(metric.result())


# Exact AUC


def test_exact_auc_by_hand():
    # Pairs in order: (0.3 > 0.1), (0.3 = 0.3, half), (0.8 > both).
    assert exact_auc([0, 0, 1, 1], [0.1, 0.3, 0.3, 0.8]) == 3.5 / 4


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_exact_auc_is_scikit_learns(ties, weighted):
    labels, scores, weights = impressions(ties=ties)
    weights = weights if weighted else None
    expected = sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights)
    np.testing.assert_allclose(exact_auc(labels, scores, weights), expected, rtol=1e-12)


def test_exact_auc_weight_two_is_the_row_twice():
    labels, scores, _ = impressions(50, ties=True)
    twice = np.arange(50) % 3 == 0
    repeated = np.repeat(np.arange(50), 1 + twice)
    assert exact_auc(labels, scores, 1 + twice) == pytest.approx(
        exact_auc(labels[repeated], scores[repeated]), abs=1e-14
    )


def test_auc_and_gauc_depend_on_the_order_of_scores_only():
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


def test_exact_gauc_by_hand():
    result = exact_gauc(LABELS, SCORES, GROUPS)
    assert result.gauc == pytest.approx((2 * 1 + 3 * 0.5) / 5, abs=1e-15)
    assert result[1:] == (2, 1, 5, 1)


@pytest.mark.parametrize("ties", [False, True])
def test_exact_gauc_is_a_loop_over_users(ties):
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


def test_only_rows_without_a_group():
    result = exact_gauc([0, 1], [0.1, 0.2], [-1, -1])
    assert np.isnan(result.gauc)
    assert result[1:] == (0, 0, 0, 2)


# Exact log loss and calibration


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_loss_is_scikit_learns(dtype):
    labels, scores, _ = impressions()
    scores = scores.astype(dtype)
    # At 0 and 1 the two clip to the machine epsilon of the dtype.
    scores[:4], labels[:4] = [0, 1, 0, 1], [0, 0, 1, 1]
    expected = sklearn.metrics.log_loss(labels, scores)
    assert log_loss(labels, scores) == pytest.approx(expected, rel=1e-6)


def test_log_loss_clips_to_eps():
    assert log_loss([1], [0.0], eps=1e-3) == pytest.approx(-np.log(1e-3))
    assert log_loss([0], [1.0], eps=1e-3) == pytest.approx(-np.log(1e-3))


def test_calibration_by_hand():
    assert calibration([1, 0, 0, 0], [0.1, 0.1, 0.2, 0.1]) == pytest.approx(0.5)
    assert np.isnan(calibration([0, 0], [0.1, 0.2]))


# What the exact functions take and refuse


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
def test_kinds_of_arrays(convert):
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
def test_wrong_labels_and_scores(metric, labels, scores, error, message):
    arguments = (labels,) if metric is exact_gauc else ()
    with pytest.raises(error, match=f"Expected.*{message}(.|\n)*Fix: "):
        metric(labels, scores, *arguments)


@pytest.mark.parametrize("metric", [log_loss, calibration])
def test_logits_are_no_probabilities(metric):
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
def test_wrong_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        exact_auc([0, 1], [0.1, 0.2], weights)


def test_wrong_number_of_groups():
    with pytest.raises(ValueError, match="as many groups"):
        exact_gauc([0, 1], [0.1, 0.2], [0])


# Streaming metrics


@pytest.mark.parametrize("click_rate", [0.5, 0.01, 0.001])
def test_streaming_auc_at_low_click_rates(click_rate):
    labels, scores = skewed(click_rate=click_rate)
    metric = AUC()
    metric.update_state(labels, scores)
    assert float(metric.result()) == pytest.approx(exact_auc(labels, scores), abs=2e-4)


def test_keras_auc_at_a_low_click_rate_is_why_ours_exists():
    labels, scores = skewed(click_rate=0.001)
    metric = keras.metrics.AUC()
    metric.update_state(labels, scores)
    assert abs(float(metric.result()) - exact_auc(labels, scores)) > 0.01


@pytest.mark.parametrize("weighted", [False, True])
def test_streaming_auc_over_batches(weighted):
    labels, scores, weights = impressions(click_rate=0.05)
    weights = weights if weighted else None
    result = streamed(AUC(), labels, scores, weights)
    assert result == pytest.approx(exact_auc(labels, scores, weights), abs=1e-3)


def test_streaming_auc_from_logits():
    labels, scores, _ = impressions()
    logits = np.log(scores / (1 - scores))
    from_logits = streamed(AUC(from_logits=True), labels, logits)
    assert from_logits == pytest.approx(streamed(AUC(), labels, scores), abs=1e-5)


def test_streaming_auc_of_the_precision_recall_curve():
    labels, scores, _ = impressions(click_rate=0.05)
    expected = sklearn.metrics.average_precision_score(labels, scores)
    assert streamed(AUC(curve="PR"), labels, scores) == pytest.approx(
        expected, abs=0.01
    )


def test_streaming_auc_takes_certain_scores():
    metric = AUC()
    metric.update_state([0, 1, 0, 1], [0.0, 1.0, 1.0, 0.0])
    assert float(metric.result()) == 0.5


def test_thresholds_are_even_in_logits():
    low, *inner, high = AUC(num_thresholds=5).thresholds
    assert low < 0 and high > 1
    # A quarter, half and three quarters of the way from logit -16 to 16.
    np.testing.assert_allclose(inner, 1 / (1 + np.exp([8.0, 0.0, -8.0])), rtol=1e-5)


@pytest.mark.parametrize("from_logits", [False, True])
def test_given_thresholds_are_keras_own(from_logits):
    labels, scores, _ = impressions(500)
    arguments = {"thresholds": [0.2, 0.6, 0.9], "from_logits": from_logits}
    ours, keras_auc = AUC(**arguments), keras.metrics.AUC(**arguments)
    ours.update_state(labels, scores)
    keras_auc.update_state(labels, scores)
    assert ours.thresholds == keras_auc.thresholds
    assert float(ours.result()) == float(keras_auc.result())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shapes", [((-1,), (-1,)), ((-1,), (-1, 1)), ((-1, 1), (-1,))])
def test_streaming_log_loss_over_batches_of_different_sizes(weighted, shapes):
    labels, scores, weights = impressions()
    weights = weights if weighted else None
    expected = sklearn.metrics.log_loss(labels, scores, sample_weight=weights)
    labels, scores = labels.reshape(shapes[0]), scores.reshape(shapes[1])
    result = streamed(LogLoss(), labels, scores, weights)
    assert result == pytest.approx(expected, rel=1e-5)


def test_streaming_calibration():
    labels, scores, weights = impressions()
    expected = (weights * scores).sum() / (weights * labels).sum()
    result = streamed(Calibration(), labels, scores[:, None], weights)
    assert result == pytest.approx(expected, rel=1e-5)
    assert streamed(Calibration(), labels, scores) == pytest.approx(
        calibration(labels, scores), rel=1e-5
    )


def test_streaming_calibration_without_clicks_is_nan():
    metric = Calibration()
    metric.update_state([0, 0], [0.1, 0.2])
    assert np.isnan(float(metric.result()))
    metric.update_state([1], [0.2])
    assert float(metric.result()) == pytest.approx(0.5)


# Streaming GAUC


def test_streaming_gauc_by_hand():
    metric = GAUC(num_groups=4)
    metric.update_state(LABELS, SCORES, GROUPS)
    assert float(metric.result()) == pytest.approx(0.7)
    metric.update_state([1], [0.001], [1])  # AUC of group 1 is now 1/4.
    assert float(metric.result()) == pytest.approx((2 * 1 + 4 * 0.25) / 6)
    metric.reset_state()
    assert np.isnan(float(metric.result()))


def test_streaming_gauc_in_a_graph_is_exact_up_to_its_bins():
    labels, scores, _ = impressions(click_rate=0.05)
    groups = np.arange(len(labels)) % 30
    metric = GAUC(30)
    update = tf.function(metric.update_state)
    for rows in (slice(0, 1500), slice(1500, None)):
        update(labels[rows], scores[rows, None], groups[rows])
    expected = exact_gauc(labels, scores, groups).gauc
    assert float(metric.result()) == pytest.approx(expected, abs=2e-3)


def test_streaming_gauc_of_scores_on_separate_bins_is_exact():
    labels, _, _ = impressions()
    # Logits at the middle of ten bins of width 2.
    scores = 1 / (1 + np.exp(9 - 2.0 * np.random.default_rng(3).integers(0, 10, 2000)))
    groups = np.arange(2000) % 70
    metric = GAUC(70, num_bins=16)
    metric.update_state(labels, scores, groups)
    expected = exact_gauc(labels, scores, groups).gauc
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_streaming_gauc_weight_two_is_the_row_twice():
    weighted, repeated = GAUC(3), GAUC(3)
    weighted.update_state(LABELS, SCORES, GROUPS, sample_weight=[1, 1, 2, 1, 1, 1])
    repeated.update_state([1, *LABELS], [0.5, *SCORES], [1, *GROUPS])
    assert float(weighted.result()) == float(repeated.result())


def test_merged_gauc_is_the_gauc_of_all():
    first, second, both = GAUC(3), GAUC(3), GAUC(3)
    first.update_state(LABELS[:4], SCORES[:4], GROUPS[:4])
    second.update_state(LABELS[4:], SCORES[4:], GROUPS[4:])
    both.update_state(LABELS, SCORES, GROUPS)
    first.merge_state([second])
    assert float(first.result()) == float(both.result())


def test_gauc_of_other_sizes_does_not_merge():
    metric = GAUC(3)
    with pytest.raises(ValueError, match="num_groups and num_bins"):
        metric.merge_state([GAUC(3), GAUC(4)])


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize(
    "labels, scores, groups, message",
    [
        ([0, 1], [0.1, 0.2], [0, 3], "groups from 0 to 2"),
        ([0, 1], [0.1, 0.2], [-1, 0], "groups from 0 to 2"),
        ([0, 1], [0.1, 1.5], [0, 0], "probabilities"),
        ([0, 1], [0.1, np.nan], [0, 0], "probabilities"),
        ([0.0, 0.3], [0.1, 0.2], [0, 0], "labels 0 or 1"),
        ([0, 1], [0.1, 0.2], [0], "as many labels and groups"),
        ([0, 1, 1], [0.1, 0.2], [0, 0, 0], "as many labels and predictions"),
    ],
)
def test_wrong_batches_of_gauc_change_nothing(graph, labels, scores, groups, message):
    metric = GAUC(3)
    update = tf.function(metric.update_state) if graph else metric.update_state
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"Expected {message}"):
        update(tf.constant(labels), tf.constant(scores), tf.constant(groups))
    assert np.sum(metric.impressions) == 0


@pytest.mark.parametrize("sizes", [(0, 10), (2.5, 10), (True, 10), (3, -1)])
def test_wrong_sizes_of_gauc(sizes):
    with pytest.raises(ValueError, match="to be a whole number of at least 1"):
        GAUC(*sizes)


# Keras's contract


@pytest.mark.parametrize(
    "metric",
    [
        AUC(num_thresholds=50, name="roc", from_logits=True),
        AUC(thresholds=[0.1, 0.4], curve="PR"),
        AUC(multi_label=True, num_labels=2, label_weights=[1.0, 2.0]),
        LogLoss(from_logits=True, label_smoothing=0.1),
        Calibration(name="ratio"),
        GAUC(7, num_bins=11),
    ],
    ids=lambda metric: metric.name,
)
def test_config_round_trip(metric):
    record = keras.saving.serialize_keras_object(metric)
    assert record["registered_name"] == f"tf_ctr>{type(metric).__name__}"
    loaded = keras.saving.deserialize_keras_object(record)
    assert type(loaded) is type(metric)
    assert loaded.get_config() == metric.get_config()


def test_default_names_have_no_counter():
    metrics = [AUC(), AUC(), LogLoss(), LogLoss(), Calibration(), Calibration()]
    names = ["auc", "auc", "log_loss", "log_loss", "calibration", "calibration"]
    assert [metric.name for metric in metrics] == names


def test_compiled_metrics_load_without_custom_objects(tmp_path):
    labels, _, _ = impressions(100)
    features = np.linspace(-1, 1, 100)[:, None]
    inputs = keras.Input((1,))
    click = keras.layers.Dense(1, "sigmoid")(inputs)
    model = keras.Model(inputs, click)
    model.compile(
        "sgd", "binary_crossentropy", metrics=[AUC(), LogLoss(), Calibration()]
    )
    rates = model.fit(features, labels, batch_size=30, verbose=0)
    assert {"auc", "log_loss", "calibration"} <= set(rates.history)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    result = loaded.evaluate(
        features, labels, batch_size=30, return_dict=True, verbose=0
    )
    scores = model.predict(features, verbose=0)
    assert result["auc"] == pytest.approx(exact_auc(labels, scores), abs=5e-3)
    assert result["log_loss"] == pytest.approx(log_loss(labels, scores), rel=1e-5)
    assert result["calibration"] == pytest.approx(calibration(labels, scores), rel=1e-5)
