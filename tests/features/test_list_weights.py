"""Weights of the ids in a list: read beside them, and pooled by them."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.features.test_errors import fails
from tf_ctr import Categorical, Numeric, Schema, data
from tf_ctr.backbones import deepfm, dnn
from tf_ctr.layers import MaskedPooling

FRAME = pd.DataFrame(
    {
        "tags": [["a", "b"], ["b", None, "a"], [], None, ["b", "b", "a", "a"]],
        "w": [[0.5, 2.0], [1.0, 9.0, 3.0], [], None, [1, 1, 2, 5]],
        "click": [0, 1, 0, 1, 1],
    }
)


def tags(**options):
    options = {"multivalent": True, "max_length": 3, "weights": "w", **options}
    return Categorical("tags", **options)


@pytest.fixture(scope="module")
def schema():
    return Schema([tags()]).fit(FRAME)


def test_a_weighted_list_has_a_second_input_and_keeps_its_places(schema):
    assert [field.name for field in schema.fields] == ["tags", "w"]
    encoded = schema.encode(schema.raw_columns(FRAME))
    a, b = (2 + schema.field("tags").vocabulary.index(tag) for tag in "ab")
    assert encoded["tags"].numpy().tolist() == [
        [a, b, 0],
        [b, 0, a],
        [0, 0, 0],
        [0, 0, 0],
        [b, b, a],
    ]
    assert encoded["w"].numpy().tolist() == [
        [0.5, 2, 0],
        [1, 9, 3],
        [0, 0, 0],
        [0, 0, 0],
        [1, 1, 2],
    ]
    assert set(schema.inputs()) == {"tags", "w"}


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_the_pooled_vector_is_the_weighted_mean_or_sum(pooling):
    schema = Schema([tags(pooling=pooling)]).fit(FRAME)
    model = dnn(schema, 2, hidden_units=(3,))
    batch = schema.encode(schema.raw_columns(FRAME))
    layer = model.get_layer("tags_pooling")
    table = model.get_layer("tags_embedding")
    rows = table(batch["tags"]).numpy().astype("float64")
    weights = batch["w"].numpy() * (batch["tags"].numpy() > 0)
    expected = (rows * weights[..., None]).sum(1)
    if pooling == "mean":
        expected /= np.where(weights.sum(1) == 0, 1, weights.sum(1))[:, None]
    found = layer(table(batch["tags"]), batch["tags"], batch["w"])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    # Missing ids do not count, whatever their weight.
    other = {**batch, "w": batch["w"] + [[0.0], [0.0], [5.0], [5.0], [0.0]]}
    np.testing.assert_array_equal(model(other), model(batch))
    np.testing.assert_allclose(
        MaskedPooling("mean")(rows, batch["tags"], np.ones((5, 3))),
        MaskedPooling("mean")(rows, batch["tags"]),
    )


def test_linear_weights_are_pooled_alike(schema):
    model = deepfm(schema, 2, hidden_units=(3,))
    names = {layer.name for layer in model.layers if layer.weights}
    assert names == {"tags_embedding", "tags_linear", "deep_0", "logit"}
    assert len(model.get_layer("tags_linear_pooling").input) == 3


def test_files_keep_the_places(schema, tmp_path):
    expected = schema.encode(schema.raw_columns(FRAME))
    data.to_tfrecord(FRAME, schema, tmp_path / "rows.tfrecord")
    [(read, _)] = data.from_tfrecord(tmp_path / "rows.tfrecord", schema, batch_size=5)
    for name, values in expected.items():
        np.testing.assert_array_equal(read[name], values)
    schema.save(tmp_path / "schema.json")
    loaded = Schema.load(tmp_path / "schema.json")
    assert loaded.fields == schema.fields
    assert loaded.fit(FRAME).fields == schema.fields
    # A list without weights is written as before.
    Schema([tags(weights=None)]).save(tmp_path / "plain.json")
    record = json.loads((tmp_path / "plain.json").read_text())
    assert "weights" not in record["fields"][0]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([[1.0]], ["1 weights for 2 ids in row 0"]),
        ([[1.0, -2.0]], ["negative", "row 0"]),
        ([[1.0, np.inf]], ["infinite", "row 0"]),
    ],
)
def test_wrong_weights_are_refused_by_their_row(weights, words):
    frame = pd.DataFrame({"tags": [["a", "b"]], "w": weights})
    fails(lambda: Schema([tags()]).fit(frame), "'w'", *words)


def test_wrong_arguments_and_columns_are_refused():
    fails(lambda: Categorical("c", weights="w"), "`weights`", "multivalent=True")
    fails(lambda: tags(weights="a b"), "'a b'")
    for other in (Numeric("w"), Categorical("x", multivalent=True, weights="w")):
        fails(lambda o=other: Schema([o, tags()]), "weights='w'", "no other field")
    fails(lambda: Schema([tags()]).fit(FRAME.drop(columns="w")), "'w'", "tags")
    frame = FRAME.assign(w=[["x"]] * 5)
    fails(lambda: Schema([tags()]).fit(frame), "'w'", kind=TypeError)
