"""Opens rows of any kind: files, frames, tables, datasets, iterators."""

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet

from tf_ctr.errors import check_choice, explain
from tf_ctr.rows.files import (
    ENDINGS,
    TEXT_FORMATS,
    choose_format,
    file_parts,
    fragment_parts,
    partition_names,
)
from tf_ctr.rows.filtering import explaining_filter
from tf_ctr.rows.fragments import Text
from tf_ctr.rows.listing import find
from tf_ctr.rows.parts import Stream, TablePart, part_of
from tf_ctr.rows.table import Rows

# What every function takes that needs rows: a path or several, a frame or table of any
# library, a dataset of pyarrow, an iterable of frames or batches, or a function that
# returns one of the last two.
Source: TypeAlias = (
    Rows
    | str
    | os.PathLike
    | pd.DataFrame
    | pa.Table
    | arrow_dataset.Dataset
    | Iterable[Any]
    | Callable[[], Any]
)
Filter: TypeAlias = arrow_dataset.Expression | list[tuple[str, str, Any]]


def rows(
    source: Source,
    filesystem: Any = None,
    format: Literal["parquet", "csv", "tsv", "arrow"] | None = None,
    partitioning: Literal["hive"] | None = "hive",
    columns: Sequence[str] | None = None,
    filter: Filter | None = None,
    delimiter: str | None = None,
    column_names: Sequence[str] | None = None,
    separator: str = "|",
    types: Mapping[str, pa.DataType] | None = None,
) -> Rows:
    """Opens rows that can be read as often as needed, without holding them in memory.

    Every function of tf_ctr that takes a frame takes the result, or a plain path in its
    place: `schema.fit("log/")`.

    A folder stands for all files below it whose ending is of the format, but for names
    that begin with `_` or `.`. In a folder `day=3`, or below, every row has a column
    `day`: whole numbers if all values of it are, text otherwise. It stands in for a
    column of that name in the file.

    In CSV files an empty cell is a missing value, and a compressed file ends in `.gz`
    or `.bz2`. Types are those of the schema that reads them; where it has none yet,
    they are guessed from the first 4 MB of each file: give a field of ids such as
    `"007"` `dtype="string"`. A cell of a multivalent field holds its ids joined by
    `separator`.

    Args:
        source: A path, several, a pattern (`*`, `?`, `**`), a folder, or a URI
            (`file://`, `s3://`, `gs://`, `hdfs://`, or any that fsspec knows); a
            pandas or Polars frame, a `pyarrow.Table`, a `pyarrow.dataset.Dataset`; an
            iterable of frames, tables or record batches, or a function that returns
            one and is called for each reading. An iterator can be read only once.
        filesystem: A file system of `pyarrow.fs` or of fsspec; `None` takes that of the
            URI, or the local one. Options such as keys and `endpoint_override` are its
            arguments.
        format: The format of the files; `None` takes it from their endings.
        partitioning: `"hive"` for columns from folders `column=value`; `None` for none.
        columns: The columns to keep; `None` keeps all.
        filter: Rows to keep: an expression of `pyarrow.dataset`, or a list such as
            `[("day", ">=", 3)]`, all of which must hold. Files and row groups that hold
            no such row are not read.
        delimiter: The text between two cells; `","`, or a tab for `format="tsv"`.
        column_names: The names of the columns of CSV files without a header.
        separator: The text between two ids in a cell of a multivalent field.
        types: `{column: pyarrow type}` of columns that are text in CSV files or in
            names of folders.

    Raises:
        ValueError: If there is no such file or bucket, or for a wrong argument.
        TypeError: For any other kind of source.
        PermissionError: If the server refuses the key.
        ConnectionError: If the server cannot be reached.

    Example:

    >>> import pathlib, tempfile, pandas
    >>> from tf_ctr.data import rows
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for day in (1, 2):
    ...         part = pathlib.Path(folder, f"day={day}")
    ...         part.mkdir()
    ...         pandas.DataFrame({"item": [day, 7]}).to_parquet(part / "0.parquet")
    ...     log = rows(folder, filter=[("day", ">=", 2)])
    ...     print(log.to_pandas().to_string(index=False))
     item  day
        2    2
        7    2
    """
    for argument, names in (("columns", columns), ("column_names", column_names)):
        if isinstance(names, str):  # Its letters would be the names.
            raise ValueError(
                explain(
                    f"a list of names as `{argument}`",
                    repr(names),
                    f"pass {argument}=[{names!r}]",
                )
            )
    options = (filesystem, format, delimiter, column_names, types)
    if isinstance(source, Rows):
        if any(each is not None for each in (*options, columns, filter)):
            raise ValueError(
                explain(
                    "options where the rows are opened for the first time",
                    "options for rows that are open",
                    "pass them together with the path",
                )
            )
        return source
    condition, name = _expression(filter), type(source).__name__
    paths = _paths(source)
    if paths is not None or isinstance(source, arrow_dataset.Dataset):
        check_choice("format", format, (*ENDINGS, None))
        check_choice("partitioning", partitioning, ("hive", None))
    if paths is not None:
        files = [file for path in paths for file in find(path, filesystem)]
        kind, files = choose_format(files, format)
        text = _text(kind, delimiter, column_names, separator)
        if kind not in TEXT_FORMATS and (delimiter or column_names):
            raise ValueError(
                explain(
                    "`delimiter` and `column_names` only with csv and tsv files",
                    f"{kind} files, e.g. {files[0].path}",
                    "leave them out, or pass format='csv' if the files are text",
                )
            )
        read = functools.partial(file_parts, files, kind, partitioning, condition, text)
        name = f"{len(files)} {kind} files, e.g. {files[0].path}"
        typable = None if kind in TEXT_FORMATS else partition_names(files, partitioning)
        return Rows(read, columns, types, True, name, typable)
    if isinstance(source, arrow_dataset.Dataset):
        text = _text(format, delimiter, column_names, separator)
        read = functools.partial(_dataset_parts, source, condition, text)
        return Rows(read, columns, types, True, name)
    _check_kind(source)
    if any(each is not None for each in options):
        raise ValueError(
            explain(
                "options of files only with files",
                f"one of filesystem, format, delimiter, column_names and types with "
                f"{name}",
                "leave them out",
            )
        )
    whole = part_of(source, condition)
    if whole is not None:
        return Rows(lambda _: [whole], columns, None, True, name, ())
    stream = Stream(source, condition)  # type: ignore[arg-type]  # No path by now.
    return Rows(lambda _: stream.parts(), columns, None, False, name, ())


def _check_kind(source):
    # An array has no names, and a dict yields nothing else.
    nameless = isinstance(source, np.ndarray | Mapping)
    known = callable(source) or (isinstance(source, Iterable) and not nameless)
    if not known and not hasattr(source, "__arrow_c_stream__"):
        raise TypeError(
            explain(
                "rows: a path, a list of paths, a frame, or an iterable of frames",
                f"{type(source).__name__}: {str(source)[:60]}",
                "call its collect()"
                if hasattr(source, "collect")
                else "pass e.g. pandas.DataFrame(data), or the path of a Parquet file",
            )
        )


def _paths(source):
    """The paths that a source names; `None` if it is no path."""
    if isinstance(source, str | os.PathLike):
        return [source]
    listed = isinstance(source, list | tuple | set | frozenset)
    if listed and not source:
        raise ValueError(
            explain(
                "at least one path or frame",
                "an empty list",
                "check what made the list",
            )
        )
    if listed and all(isinstance(each, str | os.PathLike) for each in source):
        return list(source)
    return None


def _text(format, delimiter, column_names, separator):
    delimiter = delimiter or ("\t" if format == "tsv" else ",")
    if not (isinstance(separator, str) and separator):
        raise ValueError(
            explain("a `separator`", repr(separator), "pass separator='|', for example")
        )
    if not (isinstance(delimiter, str) and len(delimiter) == 1):
        raise ValueError(
            explain(
                "a `delimiter` of one character", repr(delimiter), "pass delimiter=';'"
            )
        )
    return Text(delimiter, column_names, separator)


def _expression(filter):
    if filter is None or isinstance(filter, arrow_dataset.Expression):
        return filter
    try:
        return pyarrow.parquet.filters_to_expression(filter)
    except (TypeError, ValueError) as error:
        raise ValueError(
            explain(
                "a filter as a list of conditions",
                f"{filter!r}: {error}",
                "pass e.g. filter=[('day', '>=', 3), ('tab', 'in', [1, 2])]",
            )
        ) from error


def _dataset_parts(dataset, condition, text, types):
    if isinstance(dataset, arrow_dataset.FileSystemDataset):
        with explaining_filter(dataset.schema):
            fragments = list(dataset.get_fragments(condition))
        partitions = {field.name: field.type for field in dataset.schema}
        return fragment_parts(fragments, condition, partitions, types, text)
    if isinstance(dataset, arrow_dataset.UnionDataset):
        return [
            part
            for child in dataset.children
            for part in _dataset_parts(child, condition, text, types)
        ]
    with explaining_filter(dataset.schema):
        table = dataset.to_table(filter=condition)
    return [TablePart(table)]
