"""Rows become examples, and examples raw features."""

import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.data.examples import parse_examples, to_examples
from tf_ctr.features import Categorical, Numeric, Schema, Sequence

FIELDS = Schema(
    [
        Categorical("user", ["ann"]),
        Categorical("item", [7]),
        Categorical("tags", ["x", "y"], multivalent=True, max_length=3),
        Numeric("price", mean=0.0, std=1.0),
        Sequence("history", of="item", max_length=3),
    ]
).fields

COLUMNS = {
    "user": np.array(["ann", ""], object),
    "item": np.array([7, -1]),
    "tags": np.array([["x", "", ""], ["y", "x", ""]], object),
    "price": np.array([0.5, np.nan], np.float32),
    "history": np.array([[7, 8, -1], [-1, -1, -1]]),
}


def lists(example):
    """`{feature: its list}`, whatever its kind."""
    return {
        name: list(getattr(value, value.WhichOneof("kind")).value)
        for name, value in example.features.feature.items()
    }


def test_an_example_holds_the_values_without_the_padding_of_lists():
    first, second = map(lists, to_examples(COLUMNS, FIELDS))
    assert first == {
        "user": [b"ann"],
        "item": [7],
        "tags": [b"x"],
        "price": [0.5],
        "history": [7, 8],
    }
    assert (second["user"], second["item"], second["history"]) == ([b""], [-1], [])
    assert second["tags"] == [b"y", b"x"]
    assert np.isnan(second["price"]).all()


def test_without_fields_every_value_is_written():
    first, _ = map(lists, to_examples(COLUMNS))
    assert first["tags"] == [b"x", b"", b""]
    assert first["history"] == [7, 8, -1]


@pytest.mark.parametrize("dtype", ["U1", "S1", object])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_text_may_be_strings_or_bytes(dtype, as_bytes):
    tags = [["x", ""], ["y", "x"]]
    if as_bytes:
        tags = [[tag.encode() for tag in row] for row in tags]
    first, second = map(lists, to_examples({"tags": np.array(tags, dtype)}, FIELDS))
    assert (first, second) == ({"tags": [b"x"]}, {"tags": [b"y", b"x"]})


def test_examples_parse_to_the_raw_values():
    examples = [e.SerializeToString() for e in to_examples(COLUMNS, FIELDS)]
    parsed = parse_examples(tf.constant(examples), FIELDS)
    assert parsed["user"].numpy().tolist() == [b"ann", b""]
    assert parsed["tags"].numpy().tolist() == [[b"x", b""], [b"y", b"x"]]
    assert parsed["history"].numpy().tolist() == [[7, 8], [-1, -1]]
    np.testing.assert_array_equal(parsed["price"], COLUMNS["price"])


def test_a_feature_absent_from_an_example_is_read_as_missing():
    nothing = tf.constant([tf.train.Example().SerializeToString()])
    parsed = parse_examples(nothing, FIELDS)
    assert parsed["user"].numpy() == [b""]
    assert parsed["item"].numpy() == [-1]
    assert parsed["tags"].shape == parsed["history"].shape == [1, 0]
    assert np.isnan(parsed["price"].numpy()).all()
