"""Every type of Arrow column: read as one would expect, or refused by its name."""

import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from tests.features.test_errors import fails
from tf_ctr import Categorical, Numeric, Schema, Vector
from tf_ctr.features.arrow import as_floats

DAY = datetime.date(2024, 2, 29)
NOON = datetime.datetime(2024, 2, 29, 12)
WHOLE = [Decimal("7.00"), None, Decimal("5")]
PRICES = [Decimal("1.25"), None, Decimal("-3")]

# `(values, type, raw ids)`: the ids of `Categorical`, a missing one in the second row.
IDS = [
    ([True, None, False], pa.bool_(), [1, -1, 0]),
    ([7, None, 5], pa.uint8(), [7, -1, 5]),
    ([7.0, None, 5.0], pa.float32(), [7, -1, 5]),
    (WHOLE, pa.decimal128(9, 2), [7, -1, 5]),
    (WHOLE, pa.decimal256(60, 2), [7, -1, 5]),
    (["b", None, "a"], pa.string(), ["b", "", "a"]),
    (["b", None, "a"], pa.large_string(), ["b", "", "a"]),
    (["b", None, "a"], pa.string_view(), ["b", "", "a"]),
    (["b", None, "a"], pa.dictionary(pa.int8(), pa.string()), ["b", "", "a"]),
    ([7, None, 5], pa.dictionary(pa.int32(), pa.int64()), [7, -1, 5]),
]

LISTS = [
    pa.list_(pa.int64()),
    pa.large_list(pa.int16()),
    pa.list_(pa.int64(), 2),
    pa.list_(pa.decimal128(5, 0)),
    pa.list_(pa.dictionary(pa.int8(), pa.int64())),
]

NUMBERS = [
    ([True, None, False], pa.bool_(), [1, np.nan, 0]),
    ([7, None, 5], pa.uint64(), [7, np.nan, 5]),
    ([0.5, None, np.nan], pa.float16(), [0.5, np.nan, np.nan]),
    (PRICES, pa.decimal128(9, 2), [1.25, np.nan, -3]),
    (PRICES, pa.decimal256(60, 2), [1.25, np.nan, -3]),
    ([7, None, 5], pa.dictionary(pa.int8(), pa.int64()), [7, np.nan, 5]),
]

# `(values, type, words of the error as an id, as a number)`.
REFUSED = [
    ([DAY], pa.date32(), "date32", "days since"),
    ([NOON], pa.timestamp("us"), "timestamp", "days since"),
    ([NOON], pa.timestamp("s", "UTC"), "timestamp", "days since"),
    ([datetime.time(12)], pa.time32("s"), "time32", "time32"),
    ([datetime.timedelta(1)], pa.duration("s"), "duration", "total_seconds"),
    ([b"a"], pa.binary(), "str.decode", "binary"),
    ([b"a"], pa.large_binary(), "str.decode", "binary"),
    ([b"a"], pa.binary_view(), "str.decode", "binary"),
    ([b"a"], pa.binary(1), "str.decode", "binary"),
    ([{"a": 1}], pa.struct({"a": pa.int64()}), "struct", "struct"),
    ([[("a", 1)]], pa.map_(pa.string(), pa.int64()), "map", "map"),
    ([[1]], pa.list_(pa.int64()), "multivalent=True", "list"),
    ([[1, 2]], pa.list_(pa.int64(), 2), "multivalent=True", "list"),
]


def table(values, kind):
    if pa.types.is_dictionary(kind):
        array = pa.array(values, kind.value_type).dictionary_encode()
    elif kind == pa.float16():
        array = pa.array(values, pa.float64()).cast(kind)
    else:
        array = pa.array(values, kind)
    return pa.table({"c": array})


@pytest.mark.parametrize(
    ("values", "kind", "expected"), IDS, ids=[str(kind) for _, kind, _ in IDS]
)
def test_ids(values, kind, expected):
    columns = table(values, kind)
    schema = Schema([Categorical("c")]).fit(columns)
    assert set(schema.field("c").vocabulary) == {expected[0], expected[2]}
    assert schema.raw_columns(columns.to_pandas())["c"].tolist() == expected


@pytest.mark.parametrize("kind", LISTS, ids=str)
def test_lists_of_ids(kind):
    if pa.types.is_dictionary(kind.value_type):
        ids = pa.array([7, 5, 5, 9], kind.value_type.value_type).dictionary_encode()
        rows = pa.ListArray.from_arrays(pa.array([0, 2, 2, 4]), ids)
        columns = pa.table({"c": rows})
    else:
        columns = table([[7, 5], None, [5, 9]], kind)
    schema = Schema([Categorical("c", multivalent=True)]).fit(columns)
    raw = schema.raw_columns(columns.to_pandas())["c"]
    assert raw.tolist() == [[7, 5], [-1, -1], [5, 9]]


@pytest.mark.parametrize(
    ("values", "kind", "expected"), NUMBERS, ids=[str(kind) for _, kind, _ in NUMBERS]
)
def test_numbers(values, kind, expected):
    columns = table(values, kind)
    np.testing.assert_array_equal(as_floats(_plain(columns["c"]), "c"), expected)
    Schema([Numeric("c")]).fit(columns)


def _plain(column):
    array = column.combine_chunks()
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


@pytest.mark.parametrize(
    ("values", "kind", "as_id", "as_number"),
    REFUSED,
    ids=[str(kind) for _, kind, _, _ in REFUSED],
)
def test_other_types_are_refused_by_name(values, kind, as_id, as_number):
    columns = table(values, kind)
    fails(lambda: Schema([Categorical("c")]).fit(columns), "'c'", as_id, kind=TypeError)
    fails(lambda: Schema([Numeric("c")]).fit(columns), "'c'", as_number, kind=TypeError)


def test_decimals_with_a_fraction_or_too_large_are_no_ids():
    for value in (Decimal("7.5"), Decimal(2**70)):
        columns = pa.table({"c": pa.array([value])})
        fails(
            lambda c=columns: Schema([Categorical("c")]).fit(c), "'c'", kind=TypeError
        )


def test_vectors_may_be_decimals():
    columns = pa.table({"c": [[Decimal("1.5"), Decimal("2")]]})
    schema = Schema([Vector("c", 2)]).fit(columns)
    assert schema.raw_columns(columns.to_pandas())["c"].tolist() == [[1.5, 2.0]]
