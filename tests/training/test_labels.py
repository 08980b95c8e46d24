"""Training on several labels: losses and metrics of what is known, and loss weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics as sk

from tests.support import two_labels
from tf_ctr import data, metrics, training
from tf_ctr.training import LabelCrossentropy, weigh_by_uncertainty
from tf_ctr.training.settings import differences, model_settings

MISSING = np.array([0, 0, 1, 0, 1, 1], bool)


@pytest.fixture(scope="module")
def rows():
    """Labels with and without missing ones, scores, weights and groups."""
    generator = np.random.default_rng(0)
    full = np.array([1, 0, 0, 1, 0, 1], "float32")
    scores = generator.random(6).astype("float32")
    weights = generator.uniform(0.5, 2, 6).astype("float32")
    return np.where(MISSING, np.nan, full), full, scores, weights


def two_outputs(schema):
    """A model with an output per label, in another order than the labels' names."""
    inputs = schema.inputs()
    rows = keras.layers.Embedding(5, 2, name="item_embedding")(inputs["item"])
    x = keras.layers.Concatenate()([rows, inputs["price"]])
    return keras.Model(
        inputs,
        {
            name: keras.layers.Dense(1, "sigmoid", name=name)(x)
            for name in two_labels.LABELS
        },
    )


@pytest.fixture(scope="module")
def schema():
    return two_labels.schema(two_labels.WEIGHTS)


@pytest.fixture(scope="module")
def model(schema):
    keras.utils.set_random_seed(0)
    return two_outputs(schema)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_that_of_keras_on_the_known_rows(rows, weighted):
    labels, full, scores, weights = rows
    weights = weights if weighted else None
    loss, own = keras.losses.BinaryCrossentropy(), LabelCrossentropy()

    def of(loss, labels, chosen):
        given = None if weights is None else weights[chosen]
        return float(loss(labels[chosen, None], scores[chosen, None], given))

    everything = np.ones(6, bool)
    assert of(own, full, everything) == pytest.approx(of(loss, full, everything))
    assert of(own, labels, everything) == pytest.approx(of(loss, full, ~MISSING))
    assert of(own, labels, MISSING) == 0.0


@pytest.mark.parametrize(
    "metric", [metrics.AUC, metrics.LogLoss, metrics.Calibration, metrics.GAUC]
)
def test_a_metric_leaves_rows_without_a_label_out(rows, metric):
    labels, full, scores, weights = rows
    groups = np.array([0, 0, 0, 0, 1, 1])
    arguments = {"num_groups": 2} if metric is metrics.GAUC else {}
    found, expected = metric(**arguments), metric(**arguments)
    extra = [groups] if arguments else []
    found.update_state(labels[:, None], scores[:, None], *extra, sample_weight=weights)
    known = ~MISSING
    expected.update_state(
        full[known],
        scores[known],
        *(each[known] for each in extra),
        sample_weight=weights[known],
    )
    assert float(found.result()) == float(expected.result())


def test_training_measures_each_label_where_it_is_known(model, schema):
    frame = two_labels.rows()
    training.compile(model, loss_weights={"buy": np.float32(3.0)})
    # One batch, because Keras's means of losses count batches, not known rows.
    batches = data.from_frame(frame, schema, batch_size=len(frame))
    found = model.evaluate(batches, return_dict=True, verbose=0)
    scores = model.predict(batches, verbose=0)
    known = frame[frame["buy"].notna()]
    buy = scores["buy"][frame["buy"].notna(), 0]
    w = known["w"]
    click_loss = sk.log_loss(frame["click"], scores["click"][:, 0].astype("float64"))
    mean = sk.log_loss(known["buy"], buy.astype("float64"), sample_weight=w)
    buy_loss = mean * w.sum() / len(known)  # Keras divides by rows, not by weights.
    expected = {
        "click_loss": click_loss,
        "buy_loss": buy_loss,
        "loss": click_loss + 3 * buy_loss,
        "click_log_loss": click_loss,
        "buy_log_loss": mean,
        "click_auc": sk.roc_auc_score(frame["click"], scores["click"]),
        "buy_auc": sk.roc_auc_score(known["buy"], buy, sample_weight=w),
    }
    assert found == pytest.approx(expected, abs=1e-3)
    assert found["loss"] == pytest.approx(expected["loss"], abs=1e-5)


def test_uncertainty_weighs_the_losses_as_the_paper_says(model, schema, tmp_path):
    weighed = training.compile(weigh_by_uncertainty(model))
    weighed.log_variances.assign([np.log(2.0), -1.0])
    assert weighed.label_weights() == pytest.approx({"click": 0.5, "buy": np.e})
    frame = two_labels.rows()
    [(x, y, w)] = data.from_frame(frame, schema, batch_size=len(frame))
    with tf.GradientTape() as tape:
        total = weighed.compute_loss(x, y, weighed(x), w)
    gradient = tape.gradient(total, weighed.log_variances.value)
    losses = [
        float(LabelCrossentropy()(y[name], weighed(x)[name], w[name]))
        for name in two_labels.LABELS
    ]
    # Eq. 10 with log sigma = s / 2.
    expected = 0.5 * losses[0] + np.log(2) / 2 + np.e * losses[1] - 1 / 2
    assert float(total) == pytest.approx(expected, rel=1e-5)
    derived = [-0.5 * losses[0] + 1 / 2, -np.e * losses[1] + 1 / 2]
    np.testing.assert_allclose(gradient, derived, rtol=1e-5)
    plain = weighed.compute_loss(x, y, weighed(x), w, training=False)
    assert float(plain) == pytest.approx(sum(losses), rel=1e-5)

    weighed.optimizer.build(weighed.trainable_variables)
    weighed.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.label_weights() == weighed.label_weights()
    batches = data.from_frame(frame, schema, batch_size=len(frame))
    loaded.fit(batches, verbose=0, shuffle=False)  # One step, at rate 0.001.
    moved = np.array(loaded.log_variances) - np.array(weighed.log_variances)
    np.testing.assert_allclose(moved, -1e-3 * np.sign(derived), rtol=1e-3)


def test_wrong_loss_weights_are_refused(model, schema):
    def refused(words, model, **weights):
        with pytest.raises(ValueError, match=words):
            training.compile(model, loss_weights=weights)

    refused("use one of: buy, click", model, sale=1.0)
    refused("finite loss weight above 0 for 'buy'", model, buy=0)
    with pytest.raises(TypeError, match="(?s)by label.*{'click': 1.0, 'buy': 1.0}"):
        training.compile(model, loss_weights=[1.0, 2.0])
    refused("a model that learns them", weigh_by_uncertainty(model), buy=2.0)
    one = keras.Model(model.input, model.output["buy"])
    refused("a model with one output", one, buy=2.0)
    with pytest.raises(ValueError, match="a dict of outputs, one per label"):
        weigh_by_uncertainty(one)
    weighed = weigh_by_uncertainty(model)
    losses = {name: LabelCrossentropy() for name in two_labels.LABELS}
    weighed.compile("sgd", losses, loss_weights={"click": 1.0, "buy": 2.0})
    with pytest.raises(ValueError, match="compile by tf_ctr.training.compile"):
        weighed.fit(
            data.from_frame(two_labels.rows(), schema), verbose=0, shuffle=False
        )


def test_a_run_with_other_loss_weights_is_another_run(model):
    before = model_settings(training.compile(model, loss_weights={"buy": 2.0}))
    after = model_settings(training.compile(model, loss_weights={"buy": 5.0}))
    assert any("loss weights" in line for line in differences(before, after))
