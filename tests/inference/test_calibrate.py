"""`calibrate`: the rates of all rows, from a model of sampled ones."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss

import tf_ctr
from tf_ctr import evaluation
from tf_ctr.export import export
from tf_ctr.inference import calibrate
from tf_ctr.layers import Embedding, OddsScale
from tf_ctr.surgery import Graph

RATE = 0.1
# `{item: (clicks, others)}`: of the others, exactly a share RATE is in the sample.
COUNTS = {"a": (10, 990), "b": (30, 270), "c": (60, 40)}


def rows(share):
    parts = [
        pd.DataFrame({"item": item, "click": [1] * clicks + [0] * int(others * share)})
        for item, (clicks, others) in COUNTS.items()
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def schema():
    items = tf_ctr.Categorical("item", vocabulary=list(COUNTS))
    return tf_ctr.Schema([items])


@pytest.fixture(scope="module")
def model(schema):
    """The best model of the sampled rows: the log-odds of each item in them."""
    sampled = rows(RATE).groupby("item")["click"].mean()
    logits = np.log(sampled / (1 - sampled)).to_numpy()
    table = np.concatenate([[0.0, 0.0], logits])[:, np.newaxis]
    inputs = schema.inputs()
    constant = keras.initializers.Constant(table)
    logit = Embedding(5, 1, constant, name="item_embedding")(inputs["item"])
    return keras.Model(inputs, keras.layers.Activation("sigmoid", name="click")(logit))


def test_scores_are_the_click_rates_of_all_rows(model, schema):
    full = rows(1)
    found = evaluation.evaluate(calibrate(model, RATE), full, schema)
    rates = full.groupby("item")["click"].transform("mean")
    assert found["calibration"] == pytest.approx(1, abs=1e-6)
    assert found["log_loss"] == pytest.approx(log_loss(full["click"], rates), abs=1e-6)
    before = evaluation.evaluate(model, full, schema)
    assert found["auc"] == before["auc"]
    assert before["calibration"] > 3
    sampled = evaluation.evaluate(model, rows(RATE), schema)
    assert sampled["calibration"] == pytest.approx(1, abs=1e-6)


def test_weights_of_one_over_the_rate_give_the_same_rates(model, schema):
    """The other exact way: the sampled rows stand for all rows."""
    sample = rows(RATE)
    sample["w"] = np.where(sample["click"] == 1, 1.0, 1 / RATE)
    weighted = tf_ctr.Schema(schema.fields, weight="w")
    corrected = calibrate(model, RATE)
    found = evaluation.evaluate(corrected, sample, weighted)
    expected = evaluation.evaluate(corrected, rows(1), schema)
    for name in ("click_rate", "auc", "log_loss", "calibration"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6), name


def test_an_export_serves_corrected_scores(model, schema, tmp_path):
    corrected = calibrate(model, RATE)
    version = export(
        corrected, schema, tmp_path / "rates", fresh_process=False, verbose=False
    )
    frame = pd.DataFrame({"item": list(COUNTS)})
    rates = [clicks / (clicks + others) for clicks, others in COUNTS.values()]
    np.testing.assert_allclose(
        evaluation.predict(corrected, frame, schema), rates, atol=1e-6
    )
    loaded = tf.saved_model.load(str(version))
    served = loaded.signatures["serving_default"](item=tf.constant(list(COUNTS)))
    np.testing.assert_allclose(served["click"].numpy().ravel(), rates, atol=1e-6)


@pytest.mark.parametrize("method", ["fine_tune", "autoft", "ctnet"])
def test_transfer_keeps_the_correction(method, schema, tmp_path):
    keras.utils.set_random_seed(0)
    source = calibrate(
        tf_ctr.backbones.dcn(schema, embedding_dim=2, hidden_units=(3,)), RATE
    )
    arguments = (source,) if method != "ctnet" else (source, source)
    target = getattr(tf_ctr.transfer, method)(*arguments)
    frame = rows(RATE)
    scores = evaluation.predict(source, frame, schema)
    np.testing.assert_allclose(
        evaluation.predict(target, frame, schema), scores, atol=1e-6
    )
    target.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        evaluation.predict(loaded, frame, schema), scores, atol=1e-6
    )


def test_the_given_model_stays_and_keeps_its_names(model, schema):
    frame = pd.DataFrame({"item": list(COUNTS)})
    before = evaluation.predict(model, frame, schema)
    twice = calibrate(calibrate(model, RATE), 0.5)
    np.testing.assert_array_equal(evaluation.predict(model, frame, schema), before)
    odds, corrected = (
        p / (1 - p) for p in (before, evaluation.predict(twice, frame, schema))
    )
    np.testing.assert_allclose(corrected, odds * RATE / 2, rtol=1e-5)
    assert Graph(twice).tables_by_field == Graph(model).tables_by_field


@pytest.mark.parametrize("rate", [0, -0.1, 1.5, float("nan"), "0.1"])
def test_a_wrong_rate_is_refused(rate, model):
    with pytest.raises(ValueError, match="`negative_rate`"):
        calibrate(model, rate)


def test_a_model_of_vectors_is_refused():
    x = keras.Input((3,), name="x")
    with pytest.raises(ValueError, match="one output of shape"):
        calibrate(keras.Model({"x": x}, keras.layers.Dense(2)(x)), RATE)


def test_a_wrong_factor_is_refused():
    with pytest.raises(ValueError, match="`factor` above 0"):
        OddsScale(0.0)
