"""Columns of a pandas frame as checked Arrow and NumPy arrays.

Arrow reads every kind of pandas column (object, str, category, nullable and
Arrow-backed ones, lists) the same way, with one notion of missing.
"""

import collections.abc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tf_ctr.errors import explain, unknown_name

CHUNK_ROWS = 1 << 18

NUMPY_TYPE = {"string": object, "int64": np.int64}

ARROW_TYPE = {"string": pa.large_string(), "int64": pa.int64()}

# By the bits of a floating type: up to 2 to this power, all whole numbers are exact.
EXACT_BITS = {16: 11, 32: 24, 64: 53}


def chunks(data):
    """Yields the frames of `data`, a frame or an iterable of them, in short pieces."""
    iterable = isinstance(data, collections.abc.Iterable)
    frames = data if iterable and not isinstance(data, pd.DataFrame) else [data]
    for frame in frames:
        check_frame(frame)
        for start in range(0, len(frame), CHUNK_ROWS):
            yield frame.iloc[start : start + CHUNK_ROWS]


def check_frame(frame):
    """Raises unless `frame` is a pandas frame."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
            explain("a pandas DataFrame", type(frame), "pass pandas.DataFrame(data)")
        )


def check_rows(rows):
    """Raises if there is no row."""
    if not rows:
        raise ValueError(
            explain(
                "at least one row",
                "an empty frame or iterator",
                "check the filter that made it, or whether the iterator was used up",
            )
        )


def check_column(frame, name):
    """Raises unless `frame` is a frame with one column called `name`."""
    check_frame(frame)
    if name not in frame.columns:
        raise ValueError(unknown_name("column", name, map(str, frame.columns)))
    if isinstance(frame[name], pd.DataFrame):
        count = frame[name].shape[1]
        raise ValueError(
            explain(f"one column named {name!r}", count, "rename all but one")
        )


def column(frame, name: str) -> pa.Array:
    """Returns one column as an Arrow array, null where a value is missing."""
    check_column(frame, name)
    try:
        array = pa.array(frame[name], from_pandas=True)
    except (pa.ArrowException, OverflowError) as error:
        raise TypeError(
            explain(
                f"column {name!r} to hold values of one type",
                str(error).rstrip("."),
                f"convert it, e.g. frame[{name!r}].astype(str)",
            )
        ) from error
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return decoded(array)


def labels(frame, name: str) -> np.ndarray:
    """Returns the label column as float32, each 0 or 1."""
    values = as_floats(column(frame, name), name)
    wrong = ~np.isin(values, (0, 1))
    if wrong.any():
        raise ValueError(
            explain(
                f"label {name!r} to be 0 or 1 in every row",
                f"{wrong.sum()} of {len(values)} rows with other values, among them "
                f"{np.unique(values[wrong])[:5].tolist()}",
                _label_fix(values, name),
            )
        )
    return values.astype(np.float32)


def _label_fix(values, name):
    if np.isnan(values).any():
        # A comparison with NaN would make a 0 of it.
        return f"drop the rows without a label: frame.dropna(subset=[{name!r}])"
    return (
        f"drop these rows, or make a label of them, e.g. "
        f"frame[{name!r}] = (frame[{name!r}] > 3).astype(int)"
    )


def groups(frame, name: str | None) -> np.ndarray:
    """Returns a code per row for the values of a column, -1 where it is missing."""
    if name is None:
        raise ValueError(
            explain("a schema with a group", None, "pass Schema(..., group='user')")
        )
    check_column(frame, name)
    try:
        return pd.factorize(frame[name])[0].astype(np.int64)
    except (TypeError, NotImplementedError) as error:
        raise TypeError(
            explain(
                f"one plain value per row in the group column {name!r}",
                str(error).rstrip("."),
                "pass Schema(..., group=) the name of a column of ids",
            )
        ) from error


def raw(frame, field) -> np.ndarray:
    """Returns the column of `field` as the array that the encoder takes."""
    array = column(frame, field.name)
    if field.multivalent:
        return _padded(array, field)
    if field.dtype == "float32":
        return to_float32(as_floats(array, field.name))
    return _to_numpy(as_ids(array, field.name, field.dtype), field)


def distinct(frame, field):
    """Returns the distinct raw ids of a field with one id per row, and each row's.

    Returns:
        The distinct ids `[U]`, and int32 `[B]`: the place of each row's id in them.
    """
    ids = as_ids(column(frame, field.name), field.name, field.dtype)
    encoded = ids.dictionary_encode(null_encoding="encode")
    return _to_numpy(encoded.dictionary, field), encoded.indices.to_numpy()


def _to_numpy(ids, field):
    # Integers with nulls would pass through float64 and lose their last digits.
    filled = pc.fill_null(ids, pa.scalar(field.padding, ids.type))
    return filled.to_numpy(zero_copy_only=False).astype(NUMPY_TYPE[field.dtype])


def _padded(array, field):
    values, rows = flat_lists(array, field.name)
    ids = as_ids(values, field.name, field.dtype)
    present = pc.fill_null(pc.not_equal(ids, pa.scalar(field.padding, ids.type)), False)
    ids, rows = ids.filter(present), rows[present.to_numpy(zero_copy_only=False)]
    counts = np.bincount(rows, minlength=len(array))
    position = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
    if field.keeps_newest:
        position -= np.maximum(counts - field.max_length, 0)[rows]
    kept = (position >= 0) & (position < field.max_length)
    shape, dtype = (len(array), field.max_length), NUMPY_TYPE[field.dtype]
    padded = np.full(shape, field.padding, dtype)
    padded[rows[kept], position[kept]] = _to_numpy(ids, field)[kept]
    return padded


def decoded(array: pa.Array) -> pa.Array:
    """Returns the values of a dictionary-encoded array, any other array as it is."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def flat_lists(array: pa.Array, name: str):
    """Returns the values of all lists, and the row of each."""
    if pa.types.is_null(array.type):
        return array[:0], np.zeros(0, np.int64)
    if not _is_list(array.type) or _is_list(array.type.value_type):
        raise TypeError(
            explain(
                f"one list of ids in each row of column {name!r}",
                f"values of type {array.type}",
                f"flatten lists of lists, split strings, e.g. frame[{name!r}].str."
                "split('|'), or give the field multivalent=False",
            )
        )
    # `list_parent_indices` counts what lies behind a null, `list_flatten` does not.
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    return decoded(pc.list_flatten(array)), np.repeat(np.arange(len(array)), lengths)


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
        raise TypeError(_bad_ids(array, name, error)) from error


def as_floats(array: pa.Array, name: str) -> np.ndarray:
    """Returns numbers as float64, NaN where missing."""
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    if not any(is_kind(array.type) for is_kind in (*kinds, pa.types.is_null)):
        raise TypeError(
            explain(
                f"numbers in column {name!r}",
                f"values of type {array.type}",
                _number_fix(array, name),
            )
        )
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def to_float32(values: np.ndarray) -> np.ndarray:
    """Returns numbers as the encoder takes them; those out of range are infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _number_fix(array, name):
    if pa.types.is_temporal(array.type):
        return (
            f"subtract a reference, e.g. days since a date: (frame[{name!r}] - "
            "pandas.Timestamp('2020-01-01')) / pandas.Timedelta(days=1)"
        )
    return f"convert them: pandas.to_numeric(frame[{name!r}])"


def _is_list(kind):
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(kind) for is_kind in lists)


def _id_dtype(array, name):
    types = pa.types
    if types.is_integer(array.type) or types.is_floating(array.type):
        return "int64"
    if types.is_string(array.type) or types.is_large_string(array.type):
        return "string"
    raise TypeError(_bad_ids(array, name, f"values of type {array.type}"))


def _whole_numbers(array, name):
    """Integers that pandas turned to floats, because some are missing."""
    exact = 2.0 ** EXACT_BITS[array.type.bit_width]
    array = array.cast(pa.float64())
    array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    largest = pc.max(pc.abs(array)).as_py()
    if largest is not None and largest > exact:
        received = f"floats up to {largest}, which may be rounded"
        raise TypeError(_bad_ids(array, name, received))
    return array


def _bad_ids(array, name, received):
    return explain(
        f"strings or whole numbers as the ids in column {name!r}",
        str(received).rstrip("."),
        _id_fix(array.type, name),
    )


def _id_fix(kind, name):
    if _is_list(kind):
        return "give the field multivalent=True"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return f"decode them: frame[{name!r}].str.decode('utf-8')"
    return f"read the column as 'Int64' or str, e.g. frame[{name!r}].astype(str)"
