"""Reads the columns of fields from rows of any kind."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas as pd
import pyarrow as pa

from tf_ctr.errors import explain
from tf_ctr.features.columns import check_columns, check_rows
from tf_ctr.features.field import Field
from tf_ctr.rows import Rows, Source, rows

# A sample, or the rows of a gate: what is compared whole, signature by signature.
MOST_IN_MEMORY = 1 << 22

TEXT_TYPE = {"string": pa.string(), "int64": pa.int64(), "float32": pa.float64()}


def frames_of(
    data: Source,
    fields: Sequence[Field],
    further: Iterable[str] = (),
    check: Callable[[pd.DataFrame], None] | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yields blocks of rows with the columns of fields, each with its place.

    Args:
        data: Rows of any kind; see `tf_ctr.data.rows`.
        fields: The fields; a sequence must be linked.
        further: Names of further columns, such as the label.
        check: Called with an empty frame of each kind of file before any row is read.
            By default all columns must be there.

    Raises:
        ValueError: For a missing column.
    """
    names = needed_columns(fields, further)
    opened = rows_of(data, fields)
    default = functools.partial(check_columns, names=names)
    yield from opened.frames(names, default if check is None else check)


def in_memory(
    data: Source, fields: Sequence[Field], optional: Iterable[str] = ()
) -> pd.DataFrame:
    """Returns rows as one pandas frame with the columns of fields; a frame as it is.

    Args:
        data: Rows of any kind, few enough for the memory.
        fields: The fitted fields.
        optional: Further columns to keep where there are any, such as the label.

    Raises:
        ValueError: For a missing column, or more than `MOST_IN_MEMORY` rows.
    """
    if isinstance(data, pd.DataFrame):
        return data
    opened = rows_of(data, fields)
    names = needed_columns(fields)
    headers = [part.header() for part in opened.distinct_parts()]
    further = [n for n in optional if headers and all(n in each for each in headers)]
    check = functools.partial(check_columns, names=names)
    frames, count = [], 0
    # The columns of a stream are known only when it is read.
    wanted = None if opened.streamed else [*dict.fromkeys([*names, *further])]
    for place, frame in opened.frames(wanted, check):
        frames.append(frame)
        count += len(frame)
        if count > MOST_IN_MEMORY:
            raise ValueError(
                explain(
                    f"at most {MOST_IN_MEMORY:,} rows, which are held in memory here",
                    f"more, up to {place}",
                    "pass some of them: rows(path, filter=[('day', '=', 7)])",
                )
            )
    if not frames:
        check_rows(0)
    return pd.concat(frames, ignore_index=True)


def needed_columns(fields: Iterable[Field], further: Iterable[str] = ()) -> list[str]:
    """Returns the columns of fields, and further ones, each once."""
    return list(dict.fromkeys([*(f.column for f in fields if not f.parts), *further]))


def rows_of(data: Source, fields: Iterable[Field]) -> Rows:
    """Returns rows of any kind, the text of CSV files in the types of fields."""
    return rows(data).typed(_text_types(fields))


def _text_types(fields):
    types = {}
    for field in fields:
        if field.parts:
            continue
        if field.row_shape:
            # Ids of a type that is not known yet stay text.
            kind = pa.list_(TEXT_TYPE[field.dtype or "string"])
        elif field.dtype is None:
            continue
        else:
            kind = TEXT_TYPE[field.dtype]
        types[field.column] = kind
    return types
