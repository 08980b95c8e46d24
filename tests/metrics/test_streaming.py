"""The streaming metrics, against the exact ones, and what Keras asks of a metric."""

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from tests.support.impressions import GROUPS, LABELS, SCORES, impressions
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


def skewed(rows=50_000, click_rate=0.01):
    """Scores at the quantiles of a logistic curve, every k-th row a click, no RNG.

    The upper half of the scores has more clicks than the lower one.
    """
    quantiles = (np.arange(rows) + 0.5) / rows
    logits = np.log(click_rate / (1 - click_rate)) + np.log(quantiles / (1 - quantiles))
    period = np.where(quantiles > 0.5, 0.75, 1.5) / click_rate
    labels = np.arange(rows) % period.astype(int) == 0
    return labels.astype("float32"), 1 / (1 + np.exp(-logits))


def streamed(metric, labels, scores, weights=None):
    """The result after batches of different sizes."""
    for rows in (slice(0, 700), slice(700, 1999), slice(1999, None)):
        sample_weight = None if weights is None else weights[rows]
        metric.update_state(labels[rows], scores[rows], sample_weight=sample_weight)
    return float(metric.result())


@pytest.mark.parametrize("click_rate", [0.5, 0.01, 0.001])
def test_streaming_auc_is_accurate_at_low_click_rates(click_rate):
    labels, scores = skewed(click_rate=click_rate)
    metric = AUC()
    metric.update_state(labels, scores)
    assert float(metric.result()) == pytest.approx(exact_auc(labels, scores), abs=2e-4)


def test_keras_auc_is_off_at_a_low_click_rate():
    labels, scores = skewed(click_rate=0.001)
    metric = keras.metrics.AUC()
    metric.update_state(labels, scores)
    assert abs(float(metric.result()) - exact_auc(labels, scores)) > 0.01


@pytest.mark.parametrize("weighted", [False, True])
def test_streaming_auc_adds_up_over_batches(weighted):
    labels, scores, weights = impressions(click_rate=0.05)
    weights = weights if weighted else None
    result = streamed(AUC(), labels, scores, weights)
    assert result == pytest.approx(exact_auc(labels, scores, weights), abs=1e-3)


def test_streaming_auc_accepts_logits():
    labels, scores, _ = impressions()
    logits = np.log(scores / (1 - scores))
    from_logits = streamed(AUC(from_logits=True), labels, logits)
    assert from_logits == pytest.approx(streamed(AUC(), labels, scores), abs=1e-5)


def test_streaming_auc_can_measure_the_precision_recall_curve():
    labels, scores, _ = impressions(click_rate=0.05)
    expected = sklearn.metrics.average_precision_score(labels, scores)
    assert streamed(AUC(curve="PR"), labels, scores) == pytest.approx(
        expected, abs=0.01
    )


def test_streaming_auc_accepts_scores_of_zero_and_one():
    metric = AUC()
    metric.update_state([0, 1, 0, 1], [0.0, 1.0, 1.0, 0.0])
    assert float(metric.result()) == 0.5


def test_thresholds_are_even_in_logits():
    low, *inner, high = AUC(num_thresholds=5).thresholds
    assert low < 0 and high > 1
    # A quarter, half and three quarters of the way from logit -16 to 16.
    np.testing.assert_allclose(inner, 1 / (1 + np.exp([8.0, 0.0, -8.0])), rtol=1e-5)


@pytest.mark.parametrize("from_logits", [False, True])
def test_given_thresholds_work_as_in_keras(from_logits):
    labels, scores, _ = impressions(500)
    arguments = {"thresholds": [0.2, 0.6, 0.9], "from_logits": from_logits}
    ours, keras_auc = AUC(**arguments), keras.metrics.AUC(**arguments)
    ours.update_state(labels, scores)
    keras_auc.update_state(labels, scores)
    assert ours.thresholds == keras_auc.thresholds
    assert float(ours.result()) == float(keras_auc.result())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shapes", [((-1,), (-1,)), ((-1,), (-1, 1)), ((-1, 1), (-1,))])
def test_streaming_log_loss_adds_up_over_batches_of_different_sizes(weighted, shapes):
    labels, scores, weights = impressions()
    weights = weights if weighted else None
    expected = sklearn.metrics.log_loss(labels, scores, sample_weight=weights)
    labels, scores = labels.reshape(shapes[0]), scores.reshape(shapes[1])
    result = streamed(LogLoss(), labels, scores, weights)
    assert result == pytest.approx(expected, rel=1e-5)


def test_streaming_calibration_agrees_with_the_exact_one():
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


def test_streaming_gauc_agrees_with_hand_computed_numbers():
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


def test_streaming_gauc_is_exact_for_scores_in_separate_bins():
    labels, _, _ = impressions()
    # Logits at the middle of ten bins of width 2.
    scores = 1 / (1 + np.exp(9 - 2.0 * np.random.default_rng(3).integers(0, 10, 2000)))
    groups = np.arange(2000) % 70
    metric = GAUC(70, num_bins=16)
    metric.update_state(labels, scores, groups)
    expected = exact_gauc(labels, scores, groups).gauc
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_a_row_of_weight_two_counts_as_two_rows_of_gauc():
    weighted, repeated = GAUC(3), GAUC(3)
    weighted.update_state(LABELS, SCORES, GROUPS, sample_weight=[1, 1, 2, 1, 1, 1])
    repeated.update_state([1, *LABELS], [0.5, *SCORES], [1, *GROUPS])
    assert float(weighted.result()) == float(repeated.result())


def test_merged_gauc_equals_the_gauc_of_all_rows():
    first, second, both = GAUC(3), GAUC(3), GAUC(3)
    first.update_state(LABELS[:4], SCORES[:4], GROUPS[:4])
    second.update_state(LABELS[4:], SCORES[4:], GROUPS[4:])
    both.update_state(LABELS, SCORES, GROUPS)
    first.merge_state([second])
    assert float(first.result()) == float(both.result())


def test_merging_a_gauc_of_another_size_is_an_error():
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
def test_wrong_sizes_of_gauc_are_errors(sizes):
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
def test_config_survives_a_round_trip(metric):
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


def test_streaming_gauc_accepts_scores_of_zero_and_one():
    metric = GAUC(num_groups=2)
    metric.update_state([0, 1, 1, 0], [0.0, 1.0, 0.0, 1.0], [0, 0, 1, 1])
    # One group is in order and the other is not; each has two impressions.
    assert float(metric.result()) == 0.5
