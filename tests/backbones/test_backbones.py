"""One contract over every backbone, and the matrix backbone x transfer method.

The names and shapes of a backbone's weights are a contract with saved models. After
a change on purpose, write them anew with

    python -m tests.backbones.test_backbones
"""

import functools
import json
import pathlib

import keras
import numpy as np
import pytest

import tf_ctr
from tests.support.frames import click_frame, click_schema
from tf_ctr.backbones import BACKBONES, dcn, pieces
from tf_ctr.data import from_frame
from tf_ctr.surgery.graph import Graph
from tf_ctr.transfer import METHODS

GOLDEN = pathlib.Path(__file__).parent / "golden"
SIZES = {"embedding_dim": 4, "hidden_units": (8, 6)}


@pytest.fixture(scope="module")
def schema():
    return click_schema()


@pytest.fixture(scope="module")
def batches(schema):
    return from_frame(click_frame(), schema, batch_size=30)


@pytest.fixture(params=BACKBONES)
def name(request):
    return request.param


def weight_shapes(model):
    """`{layer: [[weight, shape], ...]}` of every layer with weights."""
    return {
        layer.name: [[w.path.split("/")[-1], list(w.shape)] for w in layer.weights]
        for layer in model.layers
        if layer.weights
    }


def test_names_and_shapes_are_golden(name, schema):
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    assert weight_shapes(BACKBONES[name](schema, **SIZES)) == golden, (
        "names or shapes changed: saved models will not load. If that is meant, run "
        "python -m tests.backbones.test_backbones"
    )


def test_inputs_are_the_fields_and_output_is_a_probability(name, schema, batches):
    model = BACKBONES[name](schema, **SIZES)
    assert sorted(model.input) == sorted(field.name for field in schema.fields)
    scores = model.predict(batches, verbose=0)
    assert scores.shape == (60, 1)
    assert np.all((scores > 0) & (scores < 1))


def test_every_depth_and_every_field_can_be_adapted(name, schema):
    model = BACKBONES[name](schema, **SIZES)
    assert {"deep_0", "deep_1"} <= set(Graph(model).depths)
    assert set(Graph(model).tables_by_field) == {
        field.name for field in schema.fields if field.table
    }
    assert "logit" not in Graph(model).depths


def scores_of(model, batches):
    """Without tracing a graph, which takes longer than all the rest of a pair."""
    return np.concatenate([model(features, training=False) for features, _ in batches])


def test_saved_backbone_scores_alike(name, schema, batches, tmp_path):
    model = BACKBONES[name](schema, **SIZES)
    model.compile("sgd", "binary_crossentropy")
    model.fit(batches, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        scores_of(model, batches), scores_of(reloaded, batches)
    )


@pytest.fixture(scope="module")
def trained(schema, batches):
    """Returns `trained(name, batch_norm)`: each trained once, with its scores."""

    @functools.cache
    def trained(name, batch_norm):
        model = BACKBONES[name](schema, **SIZES, batch_norm=batch_norm, dropout=0.1)
        model.compile("sgd", "binary_crossentropy")
        model.fit(batches, shuffle=False, verbose=0)
        return model, scores_of(model, batches)

    return trained


@pytest.mark.parametrize("method", METHODS)
def test_transfer_matrix(name, method, trained, batches, tmp_path):
    # Every backbone and every method meets both, half of the pairs each.
    batch_norm = (list(BACKBONES).index(name) + list(METHODS).index(method)) % 2 == 1
    source, scores = trained(name, batch_norm)
    before = source.get_weights()
    model = METHODS[method](source)
    np.testing.assert_allclose(scores_of(model, batches), scores, rtol=0, atol=1e-6)
    frozen = [
        weight
        for layer in model.layers
        if layer.name.endswith(("_frozen", "_source"))
        for weight in layer.weights
    ]
    start = [w.numpy().copy() for w in frozen]
    # Eagerly: tests/transfer/test_transfer.py trains every method as a graph.
    model.compile("sgd", "binary_crossentropy", run_eagerly=True)
    model.fit(batches, shuffle=False, verbose=0)
    for weight, old in zip(frozen, start, strict=True):
        np.testing.assert_array_equal(weight, old)
    for old, new in zip(before, source.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        scores_of(model, batches), scores_of(reloaded, batches)
    )


# DCN


def numpy_dcn(model, x):
    """DCN's equations in NumPy on the concatenated embeddings `x [B, N]`."""
    weights = {la.name: [w.numpy() for w in la.weights] for la in model.layers}
    cross = deep = x
    for i in range(3):
        w, b = weights[f"cross_{i}"]
        cross = x * (cross @ w) + b + cross
    for i in range(2):
        w, b = weights[f"deep_{i}"]
        deep = np.maximum(deep @ w + b, 0)
    w, b = weights["logit"]
    return 1 / (1 + np.exp(-(np.concatenate([cross, deep], axis=1) @ w + b)))


def test_dcn_agrees_with_its_equations(schema, batches):
    model = dcn(schema, **SIZES, num_cross_layers=3)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(scale=0.3, size=weight.shape))
    x0 = keras.Model(model.input, model.get_layer("embeddings").output)
    x = x0.predict(batches, verbose=0).astype("float64")
    np.testing.assert_allclose(
        model.predict(batches, verbose=0), numpy_dcn(model, x), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [({"hidden_units": ()}, "deep_"), ({"num_cross_layers": 0}, "cross_")],
    ids=["cross only", "deep only"],
)
def test_dcn_with_one_part(schema, arguments, absent):
    model = dcn(schema, embedding_dim=4, **arguments)
    assert not [la.name for la in model.layers if la.name.startswith(absent)]


def test_dcn_without_any_part_is_refused(schema):
    with pytest.raises(ValueError, match="a cross or a deep part"):
        dcn(schema, hidden_units=(), num_cross_layers=0)


@pytest.mark.parametrize("field", ["click", "deep_0", "item_embedding"])
def test_field_called_as_a_layer_is_an_error(field):
    schema = tf_ctr.Schema(
        [tf_ctr.Categorical(field, vocabulary=["a", "b"])], label="clicked"
    )
    with pytest.raises(ValueError, match=f"the field '{field}'.\nFix: rename"):
        dcn(schema)


def test_unknown_argument_is_an_error(schema):
    with pytest.raises(TypeError, match="crossing_layers"):
        dcn(schema, crossing_layers=3)


def test_penalties_cover_kernels_and_batch_rows(schema, batches):
    plain = dcn(schema, **SIZES)
    assert plain.losses == []
    model = dcn(schema, **SIZES, l2=0.1, embedding_l2=0.1)
    model(next(iter(batches))[0])
    kernels = [la for la in model.layers if la.name.startswith(("cross", "deep"))]
    tables = len(set(Graph(model).tables_by_field.values()))
    calls = len(Graph(model).tables_by_field)
    assert len(model.losses) == len(kernels) + 1 + calls
    assert tables == calls - 1


# Pieces


def test_embed_pools_sequences_with_the_table_of_their_field(schema, batches):
    vectors = pieces.embed(schema, inputs := schema.inputs(), embedding_dim=4)
    model = keras.Model(inputs, vectors)
    features = next(iter(batches))[0]
    table = model.get_layer("item_embedding").embeddings.numpy()
    ids = features["history"].numpy()
    expected = [table[row[row > 0]].mean(0) if any(row) else np.zeros(4) for row in ids]
    output = model(features)
    np.testing.assert_allclose(output["history"], expected, atol=1e-7)
    np.testing.assert_array_equal(output["item"], table[features["item"]])
    np.testing.assert_array_equal(output["price"], features["price"])


def test_mlp_depth_is_one_layer_whatever_is_in_it():
    x = keras.Input((3,))
    for arguments in ({}, {"batch_norm": True}, {"dropout": 0.5}):
        model = keras.Model(x, pieces.mlp(x, (4, 2), **arguments))
        assert [la.name for la in model.layers[1:]] == ["deep_0", "deep_1"]


if __name__ == "__main__":
    for backbone, build in BACKBONES.items():
        text = json.dumps(weight_shapes(build(click_schema(), **SIZES)), indent=1)
        (GOLDEN / f"{backbone}.json").write_text(text + "\n")
