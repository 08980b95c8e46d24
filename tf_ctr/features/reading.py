"""Reads the columns of fields from rows of any kind."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas as pd
import pyarrow as pa

from tf_ctr.features.columns import check_column
from tf_ctr.features.field import Field
from tf_ctr.rows import Rows, Source, rows

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

    def check_columns(header):
        for name in names:
            check_column(header, name)

    opened = rows_of(data, fields)
    yield from opened.frames(names, check_columns if check is None else check)


def needed_columns(fields: Iterable[Field], further: Iterable[str] = ()) -> list[str]:
    """Returns the columns of fields, and further ones, each once."""
    return list(dict.fromkeys([*(field.column for field in fields), *further]))


def rows_of(data: Source, fields: Iterable[Field]) -> Rows:
    """Returns rows of any kind, the text of CSV files in the types of fields."""
    return rows(data).typed(_text_types(fields))


def _text_types(fields):
    types = {}
    for field in fields:
        if field.multivalent:
            # Ids of a type that is not known yet stay text.
            kind = pa.list_(TEXT_TYPE[field.dtype or "string"])
        elif field.dtype is None:
            continue
        else:
            kind = TEXT_TYPE[field.dtype]
        types[field.column] = kind
    return types
