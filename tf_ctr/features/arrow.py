"""Arrow arrays as ids, lists of ids and numbers, with what is missing as null."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tf_ctr.errors import explain

ARROW_TYPE = {"string": pa.large_string(), "int64": pa.int64()}


def decoded(array: pa.Array) -> pa.Array:
    """Returns the values of a dictionary-encoded array, any other array as it is."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def flat_lists(array: pa.Array, name: str):
    """Returns the values of all lists, and the row of each."""
    if pa.types.is_null(array.type):
        return array[:0], np.zeros(0, np.int64)
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_kind(array.type) for is_kind in lists):
        raise TypeError(
            explain(
                f"a list of ids in each row of column {name!r}",
                f"values of type {array.type}",
                f"split strings, e.g. frame[{name!r}].str.split('|'), or give the "
                "field multivalent=False",
            )
        )
    values, rows = pc.list_flatten(array), pc.list_parent_indices(array)
    return decoded(values), rows.to_numpy()


def as_ids(array: pa.Array, name: str, dtype: str | None) -> pa.Array:
    """Returns ids as strings or 64-bit integers; all null if no dtype is known yet."""
    if pa.types.is_null(array.type):
        return array.cast(ARROW_TYPE[dtype]) if dtype else array
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
        return array.cast(ARROW_TYPE[found])
    except pa.ArrowInvalid as error:
        raise TypeError(_bad_ids(name, error)) from error


def as_floats(array: pa.Array, name: str) -> np.ndarray:
    """Returns numbers as float64, NaN where missing."""
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    if not any(is_kind(array.type) for is_kind in (*kinds, pa.types.is_null)):
        raise TypeError(
            explain(
                f"numbers in column {name!r}",
                f"values of type {array.type}",
                f"convert them: pandas.to_numeric(frame[{name!r}])",
            )
        )
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _id_dtype(array, name):
    types = pa.types
    if types.is_integer(array.type) or types.is_floating(array.type):
        return "int64"
    if types.is_string(array.type) or types.is_large_string(array.type):
        return "string"
    raise TypeError(_bad_ids(name, f"values of type {array.type}"))


def _whole_numbers(array, name):
    """Integers that pandas turned to floats, because some are missing."""
    array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    exact = 2.0 ** (53 if array.type == pa.float64() else 24)
    largest = pc.max(pc.abs(array)).as_py()
    if largest is not None and largest > exact:
        raise TypeError(_bad_ids(name, f"floats up to {largest}, which may be rounded"))
    return array


def _bad_ids(name, received):
    return explain(
        f"strings or whole numbers as the ids in column {name!r}",
        str(received).rstrip("."),
        f"read the column as 'Int64' or str, e.g. frame[{name!r}].astype(str); a "
        "column of lists needs multivalent=True",
    )
