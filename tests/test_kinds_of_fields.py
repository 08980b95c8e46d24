"""Every kind of field in training, transfer, continual runs, files and serving."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_ctr
from tests.support.kinds import kinds_frame, kinds_schema
from tests.support.stand_in_server import StandInServer
from tf_ctr import data, joint
from tf_ctr.backbones import dcn
from tf_ctr.continual import Period, Training, run
from tf_ctr.evaluation import evaluate, predict
from tf_ctr.export import export
from tf_ctr.inference import merge_historical
from tf_ctr.serving import GrpcClient, RestClient, check, compare_ways
from tf_ctr.serving.wire.signatures import signature_names
from tf_ctr.transfer import add_historical, autoft, ctnet, fine_tune

SCHEMA = kinds_schema()
FRAME = kinds_frame(12, seed=1)
CLOSE = {"rtol": 0, "atol": 1e-6}


@pytest.fixture(scope="module")
def model():
    """Weights of order 1, so that every field moves the score."""
    model = dcn(SCHEMA, {"item": 6}, hidden_units=(4,), num_cross_layers=1)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(scale=0.5, size=weight.shape))
    return model


@pytest.fixture(scope="module")
def scores(model):
    return model(SCHEMA.encode(SCHEMA.raw_columns(FRAME))).numpy()[:, 0]


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    options = {"fresh_process": False, "verbose": False, "batch_sizes": (1,)}
    return export(model, SCHEMA, tmp_path_factory.mktemp("m") / "m", FRAME, **options)


def test_every_field_moves_the_score(model):
    batch = SCHEMA.encode(SCHEMA.raw_columns(FRAME))
    for name in batch:
        other = {**batch, name: tf.reverse(batch[name], [0])}
        assert np.abs(model(other) - model(batch)).max() > 1e-3


@pytest.mark.parametrize("kind", ["frame", "parquet", "tfrecord", "schema.json"])
def test_files_hold_every_kind(kind, tmp_path):
    schema = SCHEMA
    if kind == "frame":
        batches = data.from_frame(FRAME, schema, batch_size=12)
    elif kind == "parquet":
        FRAME.to_parquet(tmp_path / "rows.parquet")
        batches = data.from_parquet(
            str(tmp_path / "rows.parquet"), schema, batch_size=12
        )
    elif kind == "tfrecord":
        data.to_tfrecord(FRAME, schema, tmp_path / "rows.tfrecord")
        batches = data.from_tfrecord(tmp_path / "rows.tfrecord", schema, batch_size=12)
    else:
        schema.save(tmp_path / "schema.json")
        schema = type(schema).load(tmp_path / "schema.json")
        assert schema.fields == SCHEMA.fields
        batches = data.from_frame(FRAME, schema, batch_size=12)
    [(features, _)] = batches
    expected = SCHEMA.encode(SCHEMA.raw_columns(FRAME))
    assert set(features) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(features[name], values)


def test_it_is_trained_evaluated_and_reloaded(model, scores, tmp_path):
    np.testing.assert_allclose(predict(model, FRAME, SCHEMA), scores, **CLOSE)
    assert evaluate(model, FRAME, SCHEMA)["rows"] == 12
    trained = keras.models.clone_model(model)
    before = [w.numpy() for w in trained.weights]
    trained.compile("sgd", "binary_crossentropy", run_eagerly=True)
    trained.fit(data.from_frame(FRAME, SCHEMA, batch_size=12), shuffle=False, verbose=0)
    for weight, old in zip(trained.weights, before, strict=True):
        assert np.abs(weight - old).max() > 0, weight.path
    trained.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = SCHEMA.encode(SCHEMA.raw_columns(FRAME))
    np.testing.assert_array_equal(reloaded(batch), trained(batch))


@pytest.mark.parametrize("method", [fine_tune, autoft, ctnet])
def test_it_is_transferred(method, model, scores):
    batch = SCHEMA.encode(SCHEMA.raw_columns(FRAME))
    tuned = method(model)
    np.testing.assert_allclose(tuned(batch)[:, 0], scores, **CLOSE)
    before = [w.numpy() for w in model.weights]
    tuned.compile("sgd", "binary_crossentropy", run_eagerly=True)
    tuned.train_on_batch(batch, FRAME["click"].to_numpy())
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_historical_embeddings_are_added_and_merged():
    build = functools.partial(dcn, embedding_dim=4, hidden_units=(4,))
    model = add_historical(build, SCHEMA, ["item"], 1)
    batch = SCHEMA.encode(SCHEMA.raw_columns(FRAME))
    merged = merge_historical(model)
    np.testing.assert_allclose(merged(batch), model(batch), **CLOSE)


def test_it_is_trained_by_periods(model, tmp_path):
    def compile_eagerly(built):
        built.compile("sgd", "binary_crossentropy", run_eagerly=True)

    report = run(
        [Period(number, kinds_frame(12, seed=number)) for number in (1, 2)],
        tmp_path / "run",
        target=model,
        source=model,
        schema=SCHEMA,
        method=ctnet,
        training=Training(compile_eagerly, batch_size=12, verbose=0),
    )
    assert list(report.frame["number"]) == [2]
    assert np.isfinite(report.frame["log_loss"]).all()


def test_a_joint_model_takes_every_kind():
    fields = [*SCHEMA.fields, tf_ctr.Categorical("domain", vocabulary=["a", "b"])]
    schema = tf_ctr.Schema(fields)
    frame = FRAME.assign(domain=["a", "b"] * 6)
    with pytest.raises(ValueError, match="without `pretrained` rows(.|\n)*'user'"):
        joint.mlp_plus_plus(schema, "domain", "a", ["user"])
    user = dataclasses.replace(schema.field("user"), pretrained=None)
    apart = tf_ctr.Schema([user, *schema.fields[1:]])
    for model in (
        joint.share_bottom(schema, "domain", 4, (4,), (3,)),
        joint.mlp_plus_plus(apart, "domain", "a", ["user"], 4, (4,)),
    ):
        batch = schema.encode(schema.raw_columns(frame))
        assert model(batch).shape == (12, 1)
        for name in SCHEMA.inputs():
            other = {**batch, name: tf.reverse(batch[name], [0])}
            assert np.abs(model(other) - model(batch)).max() > 0


def test_a_version_follows_the_rules_and_agrees_in_every_way(model, version):
    assert [each for each in check(version) if each.severity != "note"] == []
    found = compare_ways(version, FRAME, model, ["this process", "v1 session"])
    assert found.agrees and found.largest <= 1e-6
    names = set(signature_names(SCHEMA, ["item"]))
    assert set(found.differences["v1 session"]) == names


def test_clients_ask_with_missing_values(version, scores):
    with StandInServer("m", {1: version}) as server:
        for rows in (FRAME, FRAME.to_dict("records"), FRAME.to_dict("list")):
            for ask_by in ("tensors", "examples"):
                with GrpcClient(
                    "m", server.address, schema=SCHEMA, ask_by=ask_by
                ) as client:
                    np.testing.assert_allclose(client.predict(rows), scores, **CLOSE)
        with RestClient("m", server.url, schema=SCHEMA) as client:
            full = FRAME.dropna()
            np.testing.assert_allclose(
                client.predict(full), scores[full.index], **CLOSE
            )
            seconds = full["time"].astype("datetime64[s]").astype("int64")
            full = full.assign(time=seconds)
            integers = {f.column: str for f in SCHEMA.fields if f.dtype == "int64"}
            text = full.astype(integers).to_dict("list")
            found = client.predict(text, "string_ids")
            np.testing.assert_allclose(found, scores[full.index], **CLOSE)
