"""One contract over every backbone, and the matrix backbone x transfer method.

A backbone is tested once it is in `BACKBONES`; its golden file is written by
`python -m tests.support.golden NAME`. Every method transfers every backbone; every
third pair is then trained and reloaded, which takes most of the time: each backbone
meets several methods, each method many backbones. `TF_CTR_ALL_PAIRS=1` trains all.
"""

import functools
import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.frames import click_frame, click_schema
from tests.support.golden import SIZES, golden_file, weight_shapes
from tf_ctr.backbones import BACKBONES
from tf_ctr.data import from_frame
from tf_ctr.serving.untrusted.operations import ALLOWED
from tf_ctr.surgery import Graph
from tf_ctr.transfer import METHODS


@pytest.fixture(scope="module")
def schema():
    return click_schema()


@pytest.fixture(scope="module")
def batches(schema):
    return from_frame(click_frame(), schema, batch_size=30)


@pytest.fixture(scope="module")
def built(schema):
    """A function from a name to the backbone, built once and not trained."""
    return functools.cache(lambda name: BACKBONES[name](schema, **SIZES))


@pytest.fixture(params=BACKBONES)
def name(request):
    return request.param


def scores_of(model, batches):
    """Runs eagerly: tracing a graph takes longer than all the rest of a test."""
    return np.concatenate([model(features, training=False) for features, _ in batches])


def test_names_and_shapes_match_the_golden_files(name, built):
    command = f"python -m tests.support.golden {name}"
    file = golden_file(name)
    assert file.exists(), f"{file} is missing. If '{name}' is new, run {command}"
    assert weight_shapes(built(name)) == json.loads(file.read_text()), (
        f"names or shapes changed: saved models will not load. If you want that, "
        f"run {command}"
    )


def test_inputs_are_the_fields_and_the_output_is_a_probability(
    name, schema, built, batches
):
    model = built(name)
    assert sorted(model.input) == sorted(field.name for field in schema.fields)
    scores = scores_of(model, batches)
    assert scores.shape == (60, 1)
    assert np.all((scores > 0) & (scores < 1))


def operations(model, schema):
    """The TensorFlow operations that give the scores of a model."""
    specs = {n: tf.TensorSpec(s.shape, s.dtype, n) for n, s in schema.inputs().items()}
    traced = tf.function(model, autograph=False).get_concrete_function(specs)
    graph = traced.graph.as_graph_def()
    inner = (node for each in graph.library.function for node in each.node_def)
    return {node.op for node in (*graph.node, *inner)}


def test_a_version_of_the_backbone_runs_without_trust(name, schema, built):
    """`tf_ctr check` runs the operations of this list only, unless it is told so."""
    assert operations(built(name), schema) <= ALLOWED


@pytest.mark.parametrize("method", METHODS)
def test_a_version_of_the_method_runs_without_trust(method, schema, built):
    assert operations(METHODS[method](built("dcn")), schema) <= ALLOWED


def test_every_depth_and_every_field_can_be_adapted(name, schema, built):
    model = built(name)
    assert {"deep_0", "deep_1"} <= set(Graph(model).depths)
    assert set(Graph(model).tables_by_field) == {
        field.name for field in schema.fields if field.table
    }
    assert "logit" not in Graph(model).depths


def test_a_trained_and_reloaded_backbone_gives_the_same_scores(
    name, schema, batches, tmp_path
):
    """Trained as a graph, as users train; the tests of transfer train eagerly."""
    model = BACKBONES[name](schema, **SIZES)
    model.compile("sgd", "binary_crossentropy")
    model.fit(batches, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        scores_of(model, batches), scores_of(reloaded, batches)
    )


# Transfer


@pytest.fixture(scope="module")
def one_batch(schema):
    return from_frame(click_frame(30, seed=1), schema, batch_size=30)


def train(model, batches):
    model.compile("sgd", "binary_crossentropy", run_eagerly=True)
    model.fit(batches, shuffle=False, verbose=0)


@pytest.fixture(scope="module")
def trained(schema, one_batch):
    """Returns `trained(name, batch_norm)`: each trained once, with its scores."""

    @functools.cache
    def trained(name, batch_norm):
        model = BACKBONES[name](schema, **SIZES, batch_norm=batch_norm, dropout=0.1)
        train(model, one_batch)
        return model, scores_of(model, one_batch)

    return trained


ALL_PAIRS = bool(os.environ.get("TF_CTR_ALL_PAIRS"))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_transfers_every_backbone(
    name, method, trained, one_batch, tmp_path
):
    """tests/transfer/test_contract.py trains every method as a graph."""
    # Every backbone and every method runs with and without BatchNorm, in half of the
    # pairs each, also of those that are trained.
    place = list(BACKBONES).index(name) + list(METHODS).index(method)
    source, scores = trained(name, place % 2 == 1)
    before = source.get_weights()
    model = METHODS[method](source)
    np.testing.assert_allclose(scores_of(model, one_batch), scores, rtol=0, atol=1e-6)
    if place % 3 and not ALL_PAIRS:
        return
    frozen = [
        weight
        for layer in model.layers
        if layer.name.endswith(("_frozen", "_source"))
        for weight in layer.weights
    ]
    start = [w.numpy().copy() for w in frozen]
    train(model, one_batch)
    for weight, old in zip(frozen, start, strict=True):
        np.testing.assert_array_equal(weight, old)
    for old, new in zip(before, source.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        scores_of(model, one_batch), scores_of(reloaded, one_batch)
    )
