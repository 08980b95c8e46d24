"""Arrow arrays as checked ids, numbers and lists.

Arrow reads every kind of pandas column (object, str, category, nullable and
Arrow-backed ones, lists) the same way, with a single notion of missing values. In the
functions below, `name` is the column of the array, for error messages.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tf_ctr.errors import explain

ARROW_TYPE = {"string": pa.large_string(), "int64": pa.int64()}

# By the bits of a float: it holds all whole numbers up to 2 to this power exactly.
EXACT_BITS = {16: 11, 32: 24, 64: 53}


def as_ids(array: pa.Array, name: str, dtype: str | None) -> pa.Array:
    """Returns ids as strings or 64-bit integers, null where missing.

    Args:
        array: Strings, integers, booleans as 1 and 0, or floats or decimals that hold
            whole numbers. Floats that are all NaN are an array of nulls: pandas has no
            other type for a column without a value.
        name: The column.
        dtype: The dtype to expect; `None` if it is not known yet. An array of nulls
            then keeps its null type.

    Raises:
        TypeError: For other values, or ids of another dtype.
    """
    array = _null_if_empty(array)
    if _is_all_missing(array):
        return pa.nulls(len(array), ARROW_TYPE[dtype] if dtype else pa.null())
    found = _id_dtype(array, name)
    if dtype not in (None, found):
        raise TypeError(
            explain(
                f"ids of dtype {dtype} in column {name!r}",
                f"values of type {array.type}",
                f"convert them: frame[{name!r}].astype("
                f"{'str' if dtype == 'string' else repr('Int64')})",
            )
        )
    if pa.types.is_floating(array.type):
        array = _whole_numbers(array, name)
    try:
        if pa.types.is_decimal(array.type):  # It refuses a fraction.
            array = array.cast(pa.decimal128(38, 0))
        return array.cast(ARROW_TYPE[found])
    except pa.ArrowInvalid as error:
        raise TypeError(_bad_ids(array, name, error)) from error


def as_floats(array: pa.Array, name: str) -> np.ndarray:
    """Returns numbers as float64, NaN where missing.

    Raises:
        TypeError: For values that are not numbers.
    """
    types = pa.types
    kinds = types.is_integer, types.is_floating, types.is_boolean, types.is_decimal
    if not any(is_kind(array.type) for is_kind in (*kinds, types.is_null)):
        fix = f"convert them: pandas.to_numeric(frame[{name!r}])"
        if types.is_duration(array.type):
            fix = f"turn them into seconds: frame[{name!r}].dt.total_seconds()"
        elif types.is_temporal(array.type):
            fix = (
                f"subtract a reference, e.g. days since a date: (frame[{name!r}] - "
                "pandas.Timestamp('2020-01-01')) / pandas.Timedelta(days=1)"
            )
        raise TypeError(
            explain(f"numbers in column {name!r}", f"values of type {array.type}", fix)
        )
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def to_float32(values: np.ndarray) -> np.ndarray:
    """Returns numbers as float32; numbers out of its range become infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def flat_lists(array: pa.Array, name: str) -> tuple[pa.Array, np.ndarray]:
    """Returns the values of all lists, and the row of each value as int64.

    Raises:
        TypeError: For values that are not lists, or are lists of lists.
    """
    array = _null_if_empty(array)
    if _is_all_missing(array):
        return pa.nulls(0), np.zeros(0, np.int64)
    if not _is_list(array.type) or _is_list(array.type.value_type):
        raise TypeError(
            explain(
                f"one list of ids in each row of column {name!r}",
                f"values of type {array.type}",
                f"flatten lists of lists, split strings, e.g. frame[{name!r}].str."
                "split('|'), or give the field multivalent=False",
            )
        )
    # `list_parent_indices` would also count values hidden behind a null list, which
    # `list_flatten` leaves out.
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    return decoded(pc.list_flatten(array)), np.repeat(np.arange(len(array)), lengths)


def decoded(array: pa.Array) -> pa.Array:
    """Returns the values of a dictionary-encoded array; any other array unchanged."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _null_if_empty(array):
    """Floats without a number as an array of nulls; any other array unchanged."""
    if not pa.types.is_floating(array.type):
        return array
    missing = pc.all(pc.is_null(array, nan_is_null=True), min_count=0).as_py()
    return pa.nulls(len(array)) if missing else array


def _is_all_missing(array):
    # pandas has floats where nothing is known but that all values are missing.
    unknown = pa.types.is_floating(array.type) and 0 < array.null_count == len(array)
    return unknown or pa.types.is_null(array.type)


def _is_list(kind):
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(kind) for is_kind in lists)


def _id_dtype(array, name):
    types = pa.types
    if types.is_integer(array.type) or types.is_floating(array.type):
        return "int64"
    if types.is_boolean(array.type) or types.is_decimal(array.type):
        return "int64"
    strings = (types.is_string, types.is_large_string, types.is_string_view)
    if any(is_kind(array.type) for is_kind in strings):
        return "string"
    raise TypeError(_bad_ids(array, name, f"values of type {array.type}"))


def _whole_numbers(array, name):
    """Returns float64 with null for NaN; raises if the numbers may be rounded.

    pandas turns integers into floats if some of them are missing.
    """
    exact = 2.0 ** EXACT_BITS[array.type.bit_width]
    array = array.cast(pa.float64())
    array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    largest = pc.max(pc.abs(array)).as_py()
    if largest is not None and largest > exact:
        received = f"floats up to {largest}, which may be rounded"
        raise TypeError(_bad_ids(array, name, received))
    return array


def _bad_ids(array: pa.Array, name: str, received: Any) -> str:
    if _is_list(array.type):
        fix = "give the field multivalent=True"
    elif "binary" in str(array.type):
        fix = f"decode them: frame[{name!r}].str.decode('utf-8')"
    elif pa.types.is_temporal(array.type):
        fix = (
            f"name the day: frame[{name!r}].astype(str); or take the hour or the "
            f"weekday: TimeOf('hour', column={name!r})"
        )
    else:
        fix = f"read the column as 'Int64' or str, e.g. frame[{name!r}].astype(str)"
    return explain(
        f"strings or whole numbers as the ids in column {name!r}",
        str(received).rstrip("."),
        fix,
    )
