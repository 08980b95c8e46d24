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
from tf_ctr.features.arrow import as_floats, as_ids, decoded, flat_lists, to_float32

CHUNK_ROWS = 1 << 18
NUMPY_TYPE = {"string": object, "int64": np.int64}


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
