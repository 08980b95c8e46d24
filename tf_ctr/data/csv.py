"""Streams batches from CSV files."""

import functools
import itertools
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import tensorflow as tf

from tf_ctr.data.batching import batches, check_arguments
from tf_ctr.data.packing import Packing, check_types, packed_blocks, to_frame
from tf_ctr.data.paths import Paths, resolve
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_column, check_rows

COLUMN_TYPE = {"string": pa.string(), "int64": pa.int64(), "float32": pa.float64()}
BLOCK_BYTES = 1 << 22


def from_csv(
    paths: Paths,
    schema: Schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
    shuffle_blocks: int = 8,
    separator: str = "|",
) -> tf.data.Dataset:
    """Returns the rows of CSV files as batches, for files larger than memory.

    Each file has a header; an empty cell is a missing value. Columns are read with the
    dtypes of the schema, so that `"007"` stays a string. Labels may be numbers, or
    `True` and `False`. Parquet is faster, and stores its number of rows.

    A cell of a multivalent field holds its ids joined by `separator`, which no id may
    contain. Before `to_csv`, turn lists into such cells with
    `frame["tags"].map(lambda ids: "|".join(map(str, ids)))`.

    Args:
        paths: A file, a folder, a pattern, or a list of these.
        schema: A fitted schema.
        batch_size: Rows per batch.
        shuffle: Whether to give each epoch a new random order of the files, and to
            mix the rows of `shuffle_blocks` blocks at a time.
        seed: The seed of the orders. The same seed, with the same global seed of
            TensorFlow (`keras.utils.set_random_seed` sets it), gives the same epochs
            again. Every new iterator over the dataset is a new epoch.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label; pass `False` for prediction.
        shuffle_blocks: Blocks of 65,536 rows to mix at a time. More blocks mix better
            and take more memory.
        separator: The text between two ids in a cell of a multivalent field.

    Returns:
        A dataset of `({field: tensor}, label)`, label float32 `[B]`, or of
        `{field: tensor}` if not labelled.

    Raises:
        ValueError: If there is no such file, a file lacks a column, its first cells
            are not of the schema's types, or for a wrong argument. A wrong label, or
            a wrong cell further down, raises `tf.errors.InvalidArgumentError` while
            the dataset is read.
        TypeError: If the labels of the first rows are not numbers.

    Example:

    >>> import pathlib, tempfile
    >>> from tf_ctr.data import from_csv
    >>> from tf_ctr.features import Categorical, Schema
    >>> schema = Schema([Categorical("item", vocabulary=["a", "b"])])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "day1.csv")
    ...     _ = path.write_text("item,click\\na,0\\nb,1\\n,1\\n")
    ...     for features, label in from_csv(path, schema):
    ...         print(features["item"].numpy(), label.numpy())
    [2 3 0] [0. 1. 1.]
    """
    check_arguments(batch_size, seed, shuffle_blocks)
    if not (isinstance(separator, str) and separator):
        raise ValueError(
            explain("a `separator`", repr(separator), "pass separator='|', for example")
        )
    files = resolve(paths, ".csv")
    packing = Packing(schema, labelled)
    read = functools.partial(_read, schema, packing.columns, separator)
    rows = 0
    for file in files:
        _check_header(file, packing.columns)
        for batch in itertools.islice(read(file), 1):
            check_types(batch.schema, packing, file)
            rows += batch.num_rows
    check_rows(rows)
    readers = [functools.partial(read, file) for file in files]
    packed = packed_blocks(readers, packing, shuffle, seed)
    mixed = shuffle_blocks if shuffle else 0
    return batches(packed, packing, batch_size, mixed, seed, drop_remainder)


def _check_header(file: str, names: Sequence[str]) -> None:
    # Arrow's own error for a missing column does not list the columns that exist.
    with _open(file) as reader:
        header = to_frame(reader.schema.empty_table())
    try:
        for name in names:
            check_column(header, name)
    except ValueError as error:
        error.add_note(f"In {file}.")
        raise


def _open(file, convert=None):
    read = pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES)
    try:
        return pyarrow.csv.open_csv(file, read, convert_options=convert)
    except pa.ArrowInvalid as error:
        raise ValueError(_bad_cell(file, error)) from error


def _read(
    schema: Schema, names: Sequence[str], separator: str, file: str
) -> Iterator[pa.RecordBatch]:
    try:
        with _open(file, _conversion(schema, names)) as reader:
            for batch in reader:
                table = pa.Table.from_batches([batch])
                yield from _split_lists(table, schema, separator).to_batches()
    except pa.ArrowInvalid as error:
        raise ValueError(_bad_cell(file, error)) from error


def _conversion(schema, names):
    # The label is left out, so that Arrow detects whether it is numbers or booleans.
    types = {
        field.name: COLUMN_TYPE["string" if field.multivalent else field.dtype]
        for field in schema.fields
    }
    # Only an empty cell is missing: "NA" may be an id.
    return pyarrow.csv.ConvertOptions(
        include_columns=names,
        column_types=types,
        null_values=[""],
        strings_can_be_null=True,
    )


def _split_lists(table, schema, separator):
    for field in schema.fields:
        if field.multivalent:
            index = table.column_names.index(field.name)
            ids = _lists(table[field.name].combine_chunks(), field, separator)
            table = table.set_column(index, field.name, ids)
    return table


def _lists(cells, field, separator):
    if pc.any(pc.starts_with(cells, "[")).as_py():
        raise ValueError(
            explain(
                f"ids joined by {separator!r} in each cell of column {field.name!r}",
                "a cell that starts with '[', as to_csv writes a list",
                # `Series.str.join` would turn lists of integers into missing values.
                f"join them first: frame[{field.name!r}].map(lambda ids: "
                f"{separator!r}.join(map(str, ids)), na_action='ignore')",
            )
        )
    lists = pc.split_pattern(cells, separator)
    # An empty element is a missing id, like an empty cell.
    ids = pc.if_else(pc.equal(lists.values, ""), None, lists.values)
    ids = ids.cast(COLUMN_TYPE[field.dtype])
    return pa.ListArray.from_arrays(lists.offsets, ids, mask=pc.is_null(lists))


def _bad_cell(file, error):
    fix = "correct the file"
    if "int64" in str(error):
        fix += "; write integers with missing values as astype('Int64'), not as '5.0'"
    return explain(
        f"cells of {file} in the types of the schema", str(error).rstrip("."), fix
    )
