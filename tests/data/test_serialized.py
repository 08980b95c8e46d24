"""Examples written by column are those that protobuf writes."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.internal.encoder import _VarintBytes

from tf_ctr import Categorical
from tf_ctr.data import serialized
from tf_ctr.data.examples import to_examples
from tf_ctr.data.serialized import serialized_examples, varint, varints

INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(max_size=300) | st.text(max_size=3)
FLOATS = st.floats(width=32)
TAGS = Categorical("tags", ["a"], multivalent=True, max_length=3)
IDS = Categorical("ids", [1], padding=0, multivalent=True, max_length=2)


def read(serialized):
    return [tf.train.Example.FromString(each) for each in serialized]


@st.composite
def rows(draw):
    """Columns of every kind, of one length."""
    count = draw(st.integers(1, 4))

    def column(values, *shape):
        size = int(np.prod([count, *shape]))
        return draw(st.lists(values, min_size=size, max_size=size))

    name = draw(st.text(min_size=1, max_size=200))
    texts = np.array(column(TEXTS), object)
    tags = np.array(column(TEXTS | st.just(""), 3), object).reshape(count, 3)
    return {
        "user": texts,
        "bytes": np.array([each.encode() for each in texts], object),
        f"item {name}": np.array(column(INTEGERS), np.int64),
        "age": np.array(column(FLOATS), np.float32),
        "tags": tags,
        "ids": np.array(column(INTEGERS | st.just(0), 2), np.int64).reshape(count, 2),
        "all": np.array(column(FLOATS, 2), np.float32).reshape(count, 2),
    }


@hypothesis.given(rows())
@hypothesis.settings(max_examples=60, deadline=None)
def test_every_row_is_read_as_protobuf_writes_it(columns):
    fields = [TAGS, IDS]
    expected = [str(each) for each in to_examples(columns, fields)]
    assert [
        str(each) for each in read(serialized_examples(columns, fields))
    ] == expected


def test_a_row_is_written_as_the_format_says():
    """Worked out by hand from protobuf.dev, "Encoding"."""
    columns = {"a": np.array([300]), "b": np.array([1.0], "float32")}
    item = b"\x0a\x0b" + b"\x0a\x01a" + b"\x12\x06" + b"\x1a\x04" + b"\x0a\x02\xac\x02"
    age = (
        b"\x0a\x0d" + b"\x0a\x01b" + b"\x12\x08" + b"\x12\x06" + b"\x0a\x04\0\0\x80\x3f"
    )
    assert serialized_examples(columns) == [b"\x0a\x1c" + item + age]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**14 - 1, 2**14, 2**63 - 1])
@pytest.mark.parametrize("few", [0, 99])
def test_numbers_have_the_form_of_protobuf(number, few, monkeypatch):
    monkeypatch.setattr(serialized, "FEW", few)
    assert varint(number) == _VarintBytes(number)
    assert varints(np.array([number, -1])) == [
        _VarintBytes(number),
        b"\xff" * 9 + b"\1",
    ]


def test_no_rows_are_no_examples():
    assert serialized_examples({"user": np.zeros(0, "S1")}) == []
