"""Generated requests, good and bad, and what they should score: an encoder in NumPy.

The encoder is written from the documentation of `Schema` and the fields, not from their
code: row 0 is a missing value, row 1 an unseen id, then come the ids of the vocabulary.
Hashed fields are left out: their hash is TensorFlow's own.
"""

import math

import keras
import numpy as np
from hypothesis import strategies as st

from tf_ctr import Categorical, Numeric, Schema, Sequence
from tf_ctr.layers import Embedding

USERS, ITEMS, TAGS, BOUNDARIES = ["ann", "é", "nul\0"], [7, -5, 2**60], ["a", "b"], [18]
LENGTH = 3


def request_schema():
    """A field of each kind that needs no hash."""
    return Schema(
        [
            Categorical("user", vocabulary=USERS),
            Categorical("item", vocabulary=ITEMS),
            Categorical("tags", vocabulary=TAGS, multivalent=True, max_length=LENGTH),
            Sequence("history", of="item", max_length=LENGTH),
            Numeric("age", transform="quantile", boundaries=BOUNDARIES),
        ]
    )


def request_model(schema):
    """The logistic function of a tenth of the sum of all rows, weighted by place."""
    total, inputs = [], schema.inputs()
    for field, (name, each) in zip(schema.fields, inputs.items(), strict=True):
        size = field.table_size
        rows = 0.1 * np.arange(size)[:, np.newaxis]
        table = Embedding(size, 1, keras.initializers.Constant(rows), name=f"{name}_e")
        x = table(each)
        if field.multivalent:
            x = keras.ops.sum(x, axis=1)
        total.append(x)
    x = keras.layers.Add()(total)
    return keras.Model(inputs, keras.layers.Activation("sigmoid", name="click")(x))


def expected_score(row):
    """The score of a row, or `None` if no one can say what the row means."""
    rows = [
        _row(row["user"], str, USERS, ""),
        _row(row["item"], int, ITEMS, -1),
        _list(row["tags"], str, TAGS, "", newest=False),
        _list(row["history"], int, ITEMS, -1, newest=True),
        _bin(row["age"]),
    ]
    return None if None in rows else 1 / (1 + math.exp(-0.1 * sum(rows)))


def _missing(value):
    return value is None or (isinstance(value, float) and math.isnan(value))


def _row(value, kind, vocabulary, padding):
    if kind is int and isinstance(value, bool):
        value = int(value)  # A column of booleans is one of 0 and 1.
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas has floats where an integer is missing.
    if _missing(value) or (type(value) is kind and value == padding):
        return 0
    if isinstance(value, bytes) and kind is str:
        value = value.decode(errors="surrogateescape")
    elif type(value) is not kind or (kind is int and not -(2**63) <= value < 2**63):
        return None
    elif kind is str and any("\ud800" <= c <= "\udfff" for c in value):
        return None
    return 2 + vocabulary.index(value) if value in vocabulary else 1


def _list(values, kind, vocabulary, padding, newest):
    if _missing(values):
        return 0
    if not isinstance(values, list | set):  # Arrow reads a set as a list.
        return None
    rows = [_row(value, kind, vocabulary, padding) for value in values]
    if None in rows:
        return None
    rows = [row for row in rows if row]
    return sum(rows[-LENGTH:] if newest else rows[:LENGTH])


def _bin(value):
    if _missing(value):
        return 0
    if not isinstance(value, int | float):  # A column of booleans is one of 0 and 1.
        return None
    if math.isinf(value):  # `Numeric`: counts as missing.
        return 0
    return 1 + sum(value >= boundary for boundary in BOUNDARIES)


STRINGS = st.sampled_from([*USERS, "", "x", "\0", "x" * 300, "🙂", "nul"])
INTEGERS = st.sampled_from([*ITEMS, -1, 0, 2**53 + 1, 2**63 - 1, -(2**63)])
NUMBERS = st.sampled_from([0.0, 18.0, 17.5, 30, -1e30, math.inf, -math.inf])
MISSING = st.sampled_from([None, math.nan])
BAD = st.sampled_from(
    [
        True,
        "7",
        b"ann",
        7.0,
        2.5,
        2**63,
        "\ud800",
        {"a": 1},
        {7},
        [],
        [[7]],
        [[1], [2, 3]],
    ]
)


def good_rows():
    """Rows whose values all mean something, some of them missing."""
    values = {"user": STRINGS | MISSING, "item": INTEGERS | st.none()}
    values["age"] = NUMBERS | MISSING
    values["tags"] = st.lists(STRINGS, max_size=5)
    values["history"] = st.lists(INTEGERS, max_size=5)
    return st.fixed_dictionaries(values)


@st.composite
def requests(draw):
    """Rows, and whether all of them are good; else one of them has an odd value."""
    rows = draw(st.lists(good_rows(), min_size=1, max_size=4))
    odd = draw(st.booleans())
    if odd:
        row = draw(st.sampled_from(rows))
        row[draw(st.sampled_from(sorted(row)))] = draw(BAD)
    return rows, not odd
