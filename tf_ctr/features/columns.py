"""Reads and checks the columns of a pandas frame: ids, lists, labels and groups."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tf_ctr.errors import explain, unknown_name
from tf_ctr.features.arrow import (
    as_floats,
    as_ids,
    decoded,
    flat_lists,
    to_float32,
)
from tf_ctr.features.field import Field, known

NUMPY_TYPE: dict[str | None, Any] = {"string": object, "int64": np.int64}


def check_frame(frame: Any) -> None:
    """Raises unless `frame` is a pandas frame."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
            explain("a pandas DataFrame", type(frame), "pass pandas.DataFrame(data)")
        )


def check_rows(count: int) -> None:
    """Raises unless there is at least one row."""
    if not count:
        raise ValueError(
            explain(
                "at least one row",
                "an empty frame or iterator",
                "check the filter that made it, or whether the iterator was used up",
            )
        )


def check_column(frame: pd.DataFrame, name: str, kind: str = "column") -> None:
    """Raises unless `frame` is a frame with exactly one column called `name`."""
    check_frame(frame)
    if name not in frame.columns:
        raise ValueError(unknown_name(kind, name, map(str, frame.columns)))
    if isinstance(frame[name], pd.DataFrame):
        count = frame[name].shape[1]
        raise ValueError(
            explain(f"one column named {name!r}", count, "rename all but one")
        )


def check_columns(frame: pd.DataFrame, names: Iterable[str]) -> None:
    """Raises unless `frame` has exactly one column of each name."""
    for name in names:
        check_column(frame, name)


def column(frame: pd.DataFrame, name: str) -> pa.Array:
    """Returns one column as an Arrow array, null where a value is missing."""
    check_column(frame, name)
    try:
        array = pa.array(frame[name], from_pandas=True)
    except UnicodeEncodeError as error:
        raise TypeError(
            explain(
                f"column {name!r} to hold Unicode text",
                str(error).rstrip("."),
                "replace what UTF-8 cannot hold: text.encode('utf-8', 'replace')"
                ".decode()",
            )
        ) from error
    except (pa.ArrowException, OverflowError) as error:
        raise TypeError(
            explain(
                f"column {name!r} to hold values of one type",
                str(error).rstrip("."),
                f"convert ids by frame[{name!r}].astype(str), and numbers by "
                f"pandas.to_numeric(frame[{name!r}])",
            )
        ) from error
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    array = decoded(array)
    is_number = pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    if is_number and frame[name].dtype == object:
        _check_no_booleans(frame[name])
    return array


def raw_ids(frame: pd.DataFrame, field: Field) -> np.ndarray:
    """Returns the raw ids `[B]` of a field with one id per row."""
    return _filled(
        as_ids(column(frame, field.column), field.column, field.dtype), field
    )


def distinct_raw_ids(
    frame: pd.DataFrame, field: Field
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct raw ids of a field, and which of them each row has.

    Returns:
        The distinct ids `[U]`, and the index of each row's id among them, int32 `[B]`.
    """
    array = as_ids(column(frame, field.column), field.column, field.dtype)
    encoded = array.dictionary_encode(null_encoding="encode")
    return _filled(encoded.dictionary, field), encoded.indices.to_numpy()


def raw_id_lists(frame: pd.DataFrame, field: Field) -> np.ndarray:
    """Returns the raw ids `[B, max_length]` of a field of lists.

    Missing ids are dropped; then each list is cut to length, or padded on the right.
    """
    length = known(field.max_length)
    array = column(frame, field.column)
    values, rows = flat_lists(array, field.column)
    values = as_ids(values, field.column, field.dtype)
    is_id = pc.not_equal(values, pa.scalar(field.padding, values.type))
    is_id = pc.fill_null(pc.or_(is_id, field.keeps_places), field.keeps_places)
    values, rows = values.filter(is_id), rows[is_id.to_numpy(zero_copy_only=False)]
    # The place of each id in its list: its position minus that of the list's first id.
    counts = np.bincount(rows, minlength=len(array))
    place = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
    if field.keeps_newest:
        place -= np.maximum(counts - length, 0)[rows]
    kept = (place >= 0) & (place < length)
    padded = np.full((len(array), length), field.padding, NUMPY_TYPE[field.dtype])
    padded[rows[kept], place[kept]] = _filled(values, field)[kept]
    return padded


def labels(frame: pd.DataFrame, name: str, may_miss: bool = False) -> np.ndarray:
    """Returns the label column as float32 `[B]`, each 0 or 1.

    Args:
        frame: The rows.
        name: The column.
        may_miss: Whether a label may be missing, which gives NaN.
    """
    values = as_floats(column(frame, name), name)
    wrong = ~np.isin(values, (0, 1))
    if may_miss:
        wrong &= ~np.isnan(values)
    if wrong.any():
        # The second fix would turn a missing label into 0, because NaN > 3 is false.
        fix = (
            f"drop the rows without a label: frame.dropna(subset=[{name!r}])"
            if np.isnan(values).any()
            else "drop these rows, or turn the values into labels, e.g. "
            f"frame[{name!r}] = (frame[{name!r}] > 3).astype(int)"
        )
        raise ValueError(
            explain(
                f"label {name!r} to be 0 or 1{', or missing,' if may_miss else ''} in "
                "every row",
                f"{wrong.sum()} of {len(values)} rows with other values, among them "
                f"{np.unique(values[wrong])[:5].tolist()}",
                fix,
            )
        )
    return values.astype(np.float32)


def weights(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Returns the weight column as float32 `[B]`, each finite and at least 0."""
    check_column(frame, name, "column of weights")
    given = as_floats(column(frame, name), name)
    values = to_float32(given)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        raise ValueError(
            explain(
                f"weight {name!r} to be a finite number of at least 0 in every row",
                f"{wrong.sum()} of {len(values)} rows with other values, among them "
                f"{np.unique(given[wrong])[:5].tolist()}",
                f"correct these rows; to ignore them, frame[{name!r}] = 0 there",
            )
        )
    return values


def check_some_weight(name: str | None, total: float) -> None:
    """Raises if the sum of all weights is 0, unless there is no weight (`None`)."""
    if name is not None and not total:
        raise ValueError(only_zero_weights(name))


def only_zero_weights(name: str) -> str:
    """Returns the message for weights that are all 0."""
    return explain(
        f"weight {name!r} to be above 0 in at least one row",
        "only 0",
        "check what made the weights; a schema without weight= counts all rows alike",
    )


class GroupCoder:
    """Gives each value of a column a code, the same in all frames of one log.

    Args:
        name: The column.

    Raises:
        ValueError: If the name is `None`.
    """

    def __init__(self, name: str | None):
        if name is None:
            raise ValueError(
                explain("a schema with a group", None, "pass Schema(..., group='user')")
            )
        self._name = name
        self._codes: dict[Any, int] = {}

    @property
    def values(self) -> list[Any]:
        """The values by their codes, in the order in which they were met."""
        return list(self._codes)

    def __call__(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the code of each row, int64 `[B]`; -1 where the value is missing.

        Raises:
            ValueError: For a missing column.
            TypeError: For values that are lists.
        """
        check_column(frame, self._name)
        try:
            places, values = pd.factorize(frame[self._name])
            codes = [self._codes.setdefault(v, len(self._codes)) for v in values]
        except (TypeError, NotImplementedError) as error:
            raise TypeError(
                explain(
                    f"one plain value per row in the group column {self._name!r}",
                    str(error).rstrip("."),
                    "name a column of ids in Schema(..., group=...)",
                )
            ) from error
        # The last code is that of -1, a missing value.
        return np.array([*codes, -1], np.int64)[places]


def _check_no_booleans(values):
    """Raises for booleans among numbers, most of which Arrow takes as 0 and 1."""
    if not {bool, np.bool_}.isdisjoint(map(type, values)):
        raise TypeError(
            explain(
                f"column {values.name!r} to hold values of one type",
                "booleans among numbers",
                f"convert it, e.g. frame[{values.name!r}].astype(int)",
            )
        )


def _filled(values, field):
    """Returns ids as NumPy values, with the padding value for missing ids."""
    # Integers with nulls would pass through float64 and lose their last digits.
    filled = pc.fill_null(values, pa.scalar(field.padding, values.type))
    return filled.to_numpy(zero_copy_only=False).astype(NUMPY_TYPE[field.dtype])
