"""A version of two labels: its signatures, its checks, its gate, and the clients."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support import two_labels
from tests.support.joint_models import randomise
from tests.support.stand_in_server import StandInServer
from tf_ctr import evaluation, inference
from tf_ctr.export import export
from tf_ctr.serving import GrpcClient, RestClient, compare_ways, diff
from tf_ctr.serving.labels.gate import measure
from tf_ctr.serving.version import load_schema, load_served

LABELS = two_labels.LABELS


@pytest.fixture(scope="module")
def frame():
    return two_labels.rows()


@pytest.fixture(scope="module")
def exported(frame, tmp_path_factory):
    """The model, its schema, and a version of it and of another one."""
    schema = two_labels.schema()
    root = tmp_path_factory.mktemp("labels")
    versions, models = [], []
    for seed in (0, 1):
        model = two_labels.build("share_bottom", schema, batch_norm=True)
        randomise(model, seed)
        models.append(model)
        versions.append(
            export(
                model,
                schema,
                root / "dcn",
                sample=frame,
                fresh_process=False,
                verbose=False,
                item_fields="item",
                batch_sizes=(4,),
            )
        )
    return models[0], schema, *versions


def test_each_label_is_an_output_of_every_signature(exported, frame):
    model, schema, version, _ = exported
    loaded = tf.saved_model.load(str(version))
    assert sorted(loaded.signatures) == [
        "candidates",
        "predict_examples",
        "serving_default",
    ]
    columns = {n: tf.constant(v) for n, v in schema.raw_columns(frame).items()}
    found = loaded.signatures["serving_default"](**columns)
    expected = evaluation.predict_by_label(model, frame, schema)
    assert sorted(found) == sorted(LABELS)
    for label in LABELS:
        np.testing.assert_allclose(found[label], expected[label], atol=1e-6)
    facts = json.loads((version / "assets.extra" / "export.json").read_text())
    [differences] = facts["differences"].values()
    assert max(differences.values()) <= 1e-6


def test_the_kept_model_and_schema_give_both_scores_again(exported, frame):
    model, schema, version, _ = exported
    again, labels = load_served(version), load_schema(version)
    assert labels.label_names == LABELS
    found = evaluation.predict_by_label(again, frame, labels)
    expected = evaluation.predict_by_label(model, frame, schema)
    for label in LABELS:
        np.testing.assert_array_equal(found[label], expected[label])
    parity = compare_ways(version, frame, ways=["v1 session"], trust=True)
    assert parity.agrees and sorted(parity.differences["v1 session"]) == [
        "candidates",
        "predict_examples",
        "serving_default",
    ]


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_a_client_gets_both_labels(exported, frame, kind):
    model, schema, version, _ = exported
    rows = frame[["item", "price"]][:3]
    expected = evaluation.predict_by_label(model, rows, schema)
    with StandInServer("dcn", {1: version}) as server:
        client = (
            GrpcClient("dcn", server.address, schema=schema)
            if kind == "grpc"
            else RestClient("dcn", server.url, schema=schema)
        )
        with client:
            found = client.predict(rows)
            user = {"price": [rows["price"][0]], "item": [rows["item"].tolist()]}
            many = client.predict(user, signature="candidates")
            with pytest.raises(ValueError, match="use one of: candidates, predict_ex"):
                client.regress(rows)
    same_user = evaluation.predict_by_label(
        model, rows.assign(price=rows["price"][0]), schema
    )
    for label in LABELS:
        np.testing.assert_allclose(found[label], expected[label], atol=1e-6)
        np.testing.assert_allclose(many[label], [same_user[label]], atol=1e-6)


def test_versions_are_compared_label_by_label(exported, frame):
    model, schema, first, second = exported
    found = diff(first, second, frame, batch_sizes=(), trust=True)
    before = evaluation.predict_by_label(model, frame, schema)
    for label in LABELS:
        np.testing.assert_allclose(found.of_label(label)[0], before[label], atol=1e-6)
        assert f"rows for {label}: largest difference" in str(found)
    assert found.largest == np.max(np.abs(found.scores[0] - found.scores[1]))


def test_the_gate_measures_each_label_where_it_is_known(exported, frame):
    model, schema, first, _ = exported
    found = {m.name: m.value for m in measure(first, None, frame, trust=True)}
    expected = evaluation.evaluate(model, frame, schema)
    for label in LABELS:
        assert found[f"{label} auc"] == pytest.approx(expected[f"{label}_auc"])
        error = abs(expected[f"{label}_calibration"] - 1)
        assert found[f"{label} calibration error"] == pytest.approx(error, rel=1e-5)
    with pytest.raises(ValueError, match="without, to measure AUC, for 'buy'"):
        measure(first, None, frame.assign(buy=np.nan), trust=True)


def test_outputs_and_labels_that_do_not_fit_are_refused(exported, tmp_path):
    model, schema, _, _ = exported
    one = keras.Model(model.input, model.output["buy"])
    with pytest.raises(ValueError, match="for each label: click, buy"):
        export(one, schema, tmp_path / "dcn", verbose=False)
    with pytest.raises(ValueError, match="one output of shape"):
        export(model, schema.for_label("buy"), tmp_path / "dcn", verbose=False)
    with pytest.raises(ValueError, match="one output of shape"):
        inference.calibrate(model, 0.5)
