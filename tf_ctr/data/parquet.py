"""Streams batches from Parquet files, row group by row group."""

import functools

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import tensorflow as tf

from tf_ctr.data.batching import (
    BLOCK_ROWS,
    batches,
    check_arguments,
    with_cardinality,
)
from tf_ctr.data.packing import Packing, check_types, packed_blocks
from tf_ctr.data.paths import Paths, resolve
from tf_ctr.errors import explain
from tf_ctr.features import Schema


def from_parquet(
    paths: Paths,
    schema: Schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
    shuffle_blocks: int = 8,
) -> tf.data.Dataset:
    """Returns the rows of Parquet files as batches, for files larger than memory.

    Row groups are read one after the other, and only the columns of the schema.
    Shuffling reads the row groups in a new random order and mixes the rows of
    `shuffle_blocks` blocks at a time. The result is close to a random order of all rows
    if these blocks hold many row groups.

    Args:
        paths: A file, a folder, a pattern, or a list of these.
        schema: A fitted schema.
        batch_size: Rows per batch.
        shuffle: Whether to give each epoch a new random order.
        seed: The seed of the orders. The same seed, with the same global seed of
            TensorFlow (`keras.utils.set_random_seed` sets it), gives the same epochs
            again. Every new iterator over the dataset is a new epoch.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label; pass `False` for prediction.
        shuffle_blocks: Blocks of 65,536 rows to mix at a time. More blocks mix better
            and take more memory.

    Returns:
        A dataset of `({field: tensor}, label)`, label float32 `[B]`, or of
        `{field: tensor}` if not labelled.

    Raises:
        ValueError: If there is no such file, a file is damaged or lacks a column, or
            for a wrong argument. A wrong label raises
            `tf.errors.InvalidArgumentError` while the dataset is read.
        TypeError: For a column whose type does not fit its field.

    Example:

    >>> import pathlib, tempfile, pandas
    >>> from tf_ctr.data import from_parquet
    >>> from tf_ctr.features import Categorical, Schema
    >>> frame = pandas.DataFrame({"item": ["a", "b", "a"], "click": [0, 1, 1]})
    >>> schema = Schema([Categorical("item")]).fit(frame)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     frame.to_parquet(pathlib.Path(folder, "day1.parquet"))
    ...     for features, label in from_parquet(folder, schema):
    ...         print(features["item"].numpy(), label.numpy())
    [2 3 2] [0. 1. 1.]
    """
    check_arguments(batch_size, seed, shuffle_blocks)
    parts = [_fragment(file) for file in resolve(paths, ".parquet")]
    packing = Packing(schema, labelled)
    # Many files share few schemas, so each Arrow schema is checked once.
    types = {part.physical_schema.remove_metadata(): part.path for part in parts}
    for arrow_schema, file in types.items():
        check_types(arrow_schema, packing, file)
    readers = [
        functools.partial(
            group.to_batches,
            columns=packing.columns,
            batch_size=BLOCK_ROWS,
            batch_readahead=2,
        )
        for part in parts
        for group in part.split_by_row_group()
    ]
    packed = packed_blocks(readers, packing, shuffle, seed)
    mixed = shuffle_blocks if shuffle else 0
    dataset = batches(packed, packing, batch_size, mixed, seed, drop_remainder)
    rows = sum(part.metadata.num_rows for part in parts)
    return with_cardinality(dataset, rows, batch_size, drop_remainder)


def _fragment(file):
    try:
        form, disk = pyarrow.dataset.ParquetFileFormat(), pyarrow.fs.LocalFileSystem()
        fragment = form.make_fragment(file, disk)
        fragment.ensure_complete_metadata()
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(
            explain(
                f"{file} to be a whole Parquet file",
                str(error).rstrip("."),
                "write it again, or take it out of the folder",
            )
        ) from error
    return fragment
