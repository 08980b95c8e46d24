"""Exact metrics of several labels, each on the rows where it is known."""

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

from tests.support import two_labels
from tf_ctr import evaluation, joint


@pytest.fixture(scope="module")
def frame():
    return two_labels.rows()


@pytest.fixture(scope="module")
def schema():
    return two_labels.schema(two_labels.WEIGHTS)


@pytest.fixture(scope="module")
def model(schema):
    """Two outputs, in another order than the labels."""
    keras.utils.set_random_seed(0)
    inputs = schema.inputs()
    rows = keras.layers.Embedding(5, 2, embeddings_initializer="normal")(inputs["item"])
    x = keras.layers.Concatenate()([rows, inputs["price"]])
    rates = [keras.layers.Dense(1, "sigmoid")(x) for _ in range(2)]
    return keras.Model(inputs, {"click": rates[0], "buy": rates[1]})


def test_each_label_is_measured_where_it_is_known(model, frame, schema, tmp_path):
    found = evaluation.evaluate(model, frame, schema)
    scores = evaluation.predict_by_label(model, frame, schema)
    known = frame[frame["buy"].notna()]
    own = scores["buy"][frame["buy"].notna()]
    assert found["rows"] == found["click_rows"] == len(frame)
    assert found["buy_rows"] == len(known) < len(frame)
    weights = known["w"]
    expected = {
        "click_auc": sk.roc_auc_score(frame["click"], scores["click"]),
        "click_rate": frame["click"].mean(),
        "buy_rate": np.average(known["buy"], weights=weights),
        "buy_auc": sk.roc_auc_score(known["buy"], own, sample_weight=weights),
        "buy_log_loss": sk.log_loss(known["buy"], own, sample_weight=weights),
        "buy_calibration": np.sum(weights * own) / np.sum(weights * known["buy"]),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name
    # As one label, on the rows where it is known.
    one = schema.for_label("buy")
    alone = evaluation.evaluate(model, known, one)
    for name in ("gauc", "groups_used", "auc", "log_loss"):
        assert found[f"buy_{name}"] == alone[name]
    frame.to_parquet(tmp_path / "rows.parquet")
    assert evaluation.evaluate(model, tmp_path, schema) == found


def test_domains_are_measured_by_label(model, frame, schema):
    table = joint.evaluate(model, frame, schema, domain="tab")
    own = evaluation.evaluate(model, frame[frame["tab"] == 1], schema)
    assert table.loc[1].to_dict() == pytest.approx(own)


def test_a_label_that_is_never_known_has_no_metric(model, frame, schema):
    found = evaluation.evaluate(model, frame.assign(buy=np.nan), schema)
    assert found["buy_rows"] == found["buy_groups_used"] == 0
    assert np.isnan([found["buy_auc"], found["buy_rate"], found["buy_gauc"]]).all()
    assert found["click_auc"] == evaluation.evaluate(model, frame, schema)["click_auc"]


def test_a_model_and_labels_that_do_not_fit_are_refused(model, frame, schema):
    one_output = keras.Model(model.input, model.output["buy"])
    with pytest.raises(ValueError, match="an output for each label: click, buy"):
        evaluation.evaluate(one_output, frame, schema)
    with pytest.raises(ValueError, match="call predict_by_label"):
        evaluation.predict(model, frame, schema)
    with pytest.raises(ValueError, match=r"schema\.for_label\('click'\)"):
        evaluation.auc_loss(model, model, frame, schema)
    one = schema.for_label("buy")
    scores = evaluation.predict_by_label(model, frame, schema)["buy"]
    for each in (model, one_output):
        np.testing.assert_array_equal(evaluation.predict(each, frame, one), scores)
    with pytest.raises(ValueError, match="weight 'w' to be above 0"):
        evaluation.evaluate(model, frame.assign(w=0.0), schema)
