"""Batches from CSV files, streamed."""

import functools
import itertools

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import tensorflow as tf

from tf_ctr.data.arrow import check_types, packed_blocks
from tf_ctr.data.batching import batches, check_arguments
from tf_ctr.data.files import resolve
from tf_ctr.data.packing import Packing
from tf_ctr.errors import explain
from tf_ctr.features.columns import check_rows

COLUMN_TYPE = {"string": pa.string(), "int64": pa.int64(), "float32": pa.float64()}
BLOCK_BYTES = 1 << 22


def from_csv(
    paths,
    schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
    shuffle_blocks: int = 8,
    separator: str = "|",
) -> tf.data.Dataset:
    """Returns the rows of CSV files as batches, for files larger than memory.

    The files have a header; an empty cell is a missing value. Columns are read in the
    types of the schema, so that the string `"007"` stays one. Parquet is faster, and
    knows its number of rows.

    Args:
        paths: A file, a folder, a pattern, or a list of these.
        schema: A fitted `Schema`.
        batch_size: Rows of a batch.
        shuffle: Whether to give each epoch a new random order of the files, and to
            mix the rows of `shuffle_blocks` blocks at a time.
        seed: The seed of the orders: the same one gives the same epochs again.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label. `False` is for prediction.
        shuffle_blocks: Blocks of 65,536 rows that are mixed at a time; the memory
            that shuffling takes.
        separator: What separates the ids in a cell of a multivalued field.

    Returns:
        A dataset of `({field: tensor}, label)`, label float32 `[B]`, or of
        `{field: tensor}` if not labelled.

    Raises:
        ValueError: If there is no such file, a file lacks a column, or for a wrong
            argument. A wrong label shows while reading.

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
    files = resolve(paths, ".csv")
    packing = Packing(schema, labelled)
    rows = 0
    for file in files:
        with _open(file, schema) as reader:
            table = _split_lists(reader.schema.empty_table(), schema, separator)
            check_types(table.schema, packing, file)
            rows += sum(batch.num_rows for batch in itertools.islice(reader, 1))
    check_rows(rows)
    readers = [functools.partial(_read, file, schema, separator) for file in files]
    packed = packed_blocks(readers, packing, shuffle, seed)
    mixed = shuffle_blocks if shuffle else 0
    return batches(packed, packing, batch_size, mixed, seed, drop_remainder)


def _open(file, schema):
    types = {schema.label: pa.float64()}
    for field in schema.fields:
        dtype = "string" if field.multivalent else field.dtype
        types[field.name] = COLUMN_TYPE[dtype]
    # Only an empty cell is missing: "NA" may be an id.
    convert = pyarrow.csv.ConvertOptions(
        column_types=types, null_values=[""], strings_can_be_null=True
    )
    read = pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES)
    try:
        return pyarrow.csv.open_csv(file, read, convert_options=convert)
    except pa.ArrowInvalid as error:
        raise ValueError(_bad_cell(file, error)) from error


def _read(file, schema, separator):
    try:
        with _open(file, schema) as reader:
            for batch in reader:
                table = pa.Table.from_batches([batch])
                yield from _split_lists(table, schema, separator).to_batches()
    except pa.ArrowInvalid as error:
        raise ValueError(_bad_cell(file, error)) from error


def _split_lists(table, schema, separator):
    for field in schema.fields:
        if field.multivalent and field.name in table.column_names:
            index = table.column_names.index(field.name)
            lists = pc.split_pattern(table[field.name], separator)
            ids = lists.cast(pa.list_(COLUMN_TYPE[field.dtype]))
            table = table.set_column(index, field.name, ids)
    return table


def _bad_cell(file, error):
    return explain(
        f"cells of {file} in the types of the schema",
        str(error).rstrip("."),
        "mend the file; write integers with missing values as astype('Int64'), since "
        "'5.0' is no integer",
    )
