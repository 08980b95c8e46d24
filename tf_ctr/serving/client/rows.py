"""Rows of a user, of any form, as columns of one length."""

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_column
from tf_ctr.features.reading import rows_of
from tf_ctr.rows import Rows as Opened
from tf_ctr.rows import Source

# A list with a dict per row, a dict of columns (a dict without any list is one row), or
# rows of any kind that `tf_ctr.data.rows` opens.
Rows: TypeAlias = Source | list[dict[str, Any]] | Mapping[str, Any]


def columns_of(rows: Rows, schema: Schema | None = None) -> dict[str, list[Any]]:
    """Returns rows as `{field: list of values}`, all lists of one length.

    Args:
        rows: A frame, a list of dicts (one per row), a dict of columns, or rows of any
            kind that `tf_ctr.data.rows` opens; a dict without any list is one row.
        schema: The schema of the model; then the rows may name a field by its `column`.

    Raises:
        ValueError: For no row, no column, or columns of different lengths.
        TypeError: For rows of another kind.

    Example:

    >>> columns_of([{"user": "ann", "item": 7}, {"user": "bob"}])
    {'user': ['ann', 'bob'], 'item': [7, None]}
    """
    columns = _columns(rows, schema)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            explain("as many values in every column", lengths, "give one per row")
        )
    if not any(lengths.values()):
        raise ValueError(
            explain(
                "at least one row, with a value of at least one field",
                f"{type(rows).__name__} {str(rows)[:60]}",
                "do not ask for nothing: a server that batches lets such a request "
                "wait, and others in its batch fail",
            )
        )
    fields = () if schema is None else schema.fields
    owned = {f.name: columns[f.column] for f in fields if f.column in columns}
    return {**columns, **owned}


def values_of(cell: Any) -> list[Any] | None:
    """Returns the values of a list or of an array of any library, else `None`."""
    for method in ("tolist", "to_pylist", "numpy"):  # NumPy and pandas, Arrow, tensors.
        if hasattr(cell, method):
            cell = getattr(cell, method)()
            break
    if isinstance(cell, np.ndarray):
        cell = cell.tolist()
    return list(cell) if isinstance(cell, list | tuple) else None


def is_missing(value: Any) -> bool:
    """Returns whether a value stands for none: `None`, NaN, NaT or `pandas.NA`."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _columns(rows, schema):
    if _of_many_rows(rows):
        rows = rows_of(rows, () if schema is None else schema.fields).to_pandas()
    if isinstance(rows, pd.DataFrame):
        for name in rows.columns:
            check_column(rows, name)
        return {str(name): rows[name].tolist() for name in rows.columns}
    if isinstance(rows, Mapping):
        return _of_mapping(rows)
    dicts = isinstance(rows, list | tuple)
    if dicts and all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(name for row in rows for name in row))
        return {name: [row.get(name) for row in rows] for name in names}
    raise TypeError(
        explain(
            "a frame, a list of dicts or a dict of columns, with at least one row",
            f"{type(rows).__name__} {str(rows)[:60]}",
            'pass e.g. [{"user": "ann", "item": 7}]',
        )
    )


def _of_mapping(rows):
    """A dict of columns, or a dict of single values, which is one row."""
    columns = {name: values_of(value) for name, value in rows.items()}
    single = [name for name, values in columns.items() if values is None]
    if len(single) == len(columns):
        return {name: [value] for name, value in rows.items()}
    if single:
        raise ValueError(
            explain(
                "a dict of columns, each a list with a value per row",
                f"{single[0]!r} as {type(rows[single[0]]).__name__}, beside lists",
                "wrap one row in a list: [{...}]",
            )
        )
    return columns


def _of_many_rows(rows):
    """Whether these are the rows of files or of another library."""
    paths = isinstance(rows, str | os.PathLike | Opened)
    arrow = hasattr(rows, "__arrow_c_stream__") and not isinstance(rows, pd.DataFrame)
    return paths or arrow
