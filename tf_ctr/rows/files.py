"""Chooses the format of files, and makes their parts."""

import concurrent.futures
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as arrow_dataset
import pyarrow.fs

from tf_ctr.errors import explain
from tf_ctr.rows.filtering import UNREADABLE, explaining_filter
from tf_ctr.rows.fragments import FilePart, Text, TextPart, damaged, is_remote
from tf_ctr.rows.listing import File, partition_types, partition_values
from tf_ctr.rows.parts import Part
from tf_ctr.rows.retrying import retried

ENDINGS = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".csv.gz", ".csv.bz2"),
    "tsv": (".tsv", ".tsv.gz", ".tsv.bz2"),
    "arrow": (".arrow", ".feather"),
}
TEXT_FORMATS = ("csv", "tsv")
# Footers are read at the same time: each waits for the network, not for a processor.
PARALLEL_FOOTERS = 16
BLOCK_BYTES = 1 << 22


def choose_format(files: Iterable[File], format: str | None) -> tuple[str, list[File]]:
    """Returns the format of files, and those of the files that have it.

    A file in a folder counts only if its name has an ending of the format.

    Raises:
        ValueError: If none has, or the endings are of several formats.
    """
    files = list(files)
    chosen = {
        kind: [file for file in files if file.path.lower().endswith(ENDINGS[kind])]
        for kind in ENDINGS
    }
    if format is not None:
        kept = [f for f in files if not f.listed or f in chosen[format]]
        if kept:
            return format, kept
    found = {kind: kept for kind, kept in chosen.items() if kept}
    if format is not None or len(found) != 1:
        kinds = [format] if format else ENDINGS
        endings = ", ".join(end for kind in kinds for end in ENDINGS[kind])
        received = (
            f"files with other endings, e.g. {files[0].path}" if files else "no file"
        )
        if len(found) > 1 and not format:
            received = "several: " + ", ".join(k[0].path for k in found.values())
        raise ValueError(
            explain(
                f"files of one format, with one of the endings {endings}",
                received,
                "pass format=, e.g. format='csv'; and for a folder with other endings, "
                "a pattern such as 'log/*'",
            )
        )
    [(kind, kept)] = found.items()
    return kind, kept


def file_parts(
    files: Sequence[File],
    format: str,
    partitioning: Any,
    filter: arrow_dataset.Expression | None,
    text: Text,
    types: Mapping[str, pa.DataType],
) -> list[Part]:
    """Returns the parts of files: a row group each, or a file each.

    Args:
        files: The files.
        format: A key of `ENDINGS`.
        partitioning: `"hive"`, or `None` for folders that stand for nothing.
        filter: Rows to keep; `None` keeps all.
        text: How CSV files are written.
        types: Types of columns that are text, in CSV files or names of folders.
    """
    form = _file_format(format, text)
    hive = [partition_values(f.path) if partitioning else {} for f in files]
    found = partition_types(hive)
    kinds = {name: types.get(name, kind) for name, kind in found.items()}
    fragments = [
        form.make_fragment(file.path, file.system, _expression(values, kinds))
        for file, values in zip(files, hive, strict=True)
    ]
    return fragment_parts(fragments, filter, kinds, types, text)


def partition_names(files: Iterable[File], partitioning: Any) -> set[str]:
    """Returns the names of the columns that folders give to files."""
    paths = (file.path for file in files) if partitioning else ()
    return {name for path in paths for name in partition_values(path)}


def fragment_parts(
    fragments: Sequence[arrow_dataset.Fragment],
    filter: arrow_dataset.Expression | None,
    partitions: Mapping[str, pa.DataType],
    types: Mapping[str, pa.DataType],
    text: Text,
) -> list[Part]:
    """Returns the parts of fragments of a dataset; see `file_parts`."""
    if filter is not None:
        fragments = _kept_by_folder(fragments, filter, partitions, types)
    one = functools.partial(
        _parts_of, filter=filter, partitions=partitions, types=types, text=text
    )
    with concurrent.futures.ThreadPoolExecutor(PARALLEL_FOOTERS) as pool:
        return [part for found in pool.map(one, fragments) for part in found]


def _parts_of(
    fragment: arrow_dataset.Fragment,
    filter: arrow_dataset.Expression | None,
    partitions: Mapping[str, pa.DataType],
    types: Mapping[str, pa.DataType],
    text: Text,
) -> list[Part]:
    path, remote = fragment.path, is_remote(fragment)
    try:
        if isinstance(fragment, arrow_dataset.ParquetFileFragment):
            retried(fragment.ensure_complete_metadata, path, remote)
        physical = retried(lambda: fragment.physical_schema, path, remote)
    except (OSError, *UNREADABLE) as error:
        if remote and isinstance(error, OSError):
            raise
        raise ValueError(damaged(path, error)) from error
    schema = _whole_schema(fragment, physical, partitions)
    if isinstance(fragment.format, arrow_dataset.CsvFileFormat):
        kinds = pa.schema([(f.name, types.get(f.name, f.type)) for f in schema])
        return [TextPart(fragment, kinds, filter, text)]
    if not isinstance(fragment, arrow_dataset.ParquetFileFragment):
        return [FilePart(fragment, schema, filter, path, None)]
    with explaining_filter(schema):
        groups = fragment.split_by_row_group(filter, schema)
    return [
        FilePart(
            group,
            schema,
            filter,
            f"{path}, row group {group.row_groups[0].id}",
            group.row_groups[0].num_rows if filter is None else None,
        )
        for group in groups
    ]


def _kept_by_folder(fragments, filter, partitions, types):
    """Leaves out files whose folder says that no row is kept, without opening them."""
    if not fragments or not partitions:
        return fragments
    one = fragments[0]
    physical = retried(lambda: one.physical_schema, one.path, is_remote(one))
    whole = _whole_schema(one, physical, partitions)
    first = pa.schema([(f.name, types.get(f.name, f.type)) for f in whole])
    dataset = arrow_dataset.FileSystemDataset(
        fragments, first, fragments[0].format, fragments[0].filesystem
    )
    with explaining_filter(first):
        return list(dataset.get_fragments(filter))


def _whole_schema(fragment, physical, partitions):
    """The columns of a file, and those of its folders, which come first."""
    own = arrow_dataset.get_partition_keys(fragment.partition_expression)
    kinds = {field.name: partitions.get(field.name, field.type) for field in physical}
    kinds |= {name: kind for name, kind in partitions.items() if name in own}
    return pa.schema(list(kinds.items()))


def _file_format(format, text):
    if format == "parquet":
        return arrow_dataset.ParquetFileFormat()
    if format == "arrow":
        return arrow_dataset.IpcFileFormat()
    names = None if text.column_names is None else list(text.column_names)
    return arrow_dataset.CsvFileFormat(
        parse_options=pyarrow.csv.ParseOptions(delimiter=text.delimiter),
        read_options=pyarrow.csv.ReadOptions(
            block_size=BLOCK_BYTES, column_names=names
        ),
        # Only an empty cell is missing: "NA" may be an id.
        convert_options=pyarrow.csv.ConvertOptions(
            null_values=[""], strings_can_be_null=True
        ),
    )


def _expression(values, kinds):
    whole = None
    for name, value in values.items():
        field = arrow_dataset.field(name)
        if value is None:
            each = field.is_null()
        else:
            each = field == _cast(name, value, kinds[name])
        whole = each if whole is None else whole & each
    return whole


def _cast(name, value, kind):
    try:
        return pa.scalar(value).cast(kind)
    except UNREADABLE as error:
        raise ValueError(
            explain(
                f"values of {kind} in the folders of column {name!r}",
                f"a folder {name}={value}",
                "rename the folder, give the field another dtype, or pass types=",
            )
        ) from error
