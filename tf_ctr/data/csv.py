"""Streams batches from CSV files."""

import tensorflow as tf

from tf_ctr.data.streaming import stream
from tf_ctr.features import Schema
from tf_ctr.rows import Source


def from_csv(
    paths: Source,
    schema: Schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
    shuffle_blocks: int = 8,
    separator: str = "|",
    shard: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """Returns the rows of CSV files as batches; `from_rows` with that format.

    Each file has a header; `tf_ctr.data.rows` opens files without one, or with another
    delimiter. An empty cell is a missing value. Columns are read with the
    dtypes of the schema, so that `"007"` stays a string. Labels may be numbers, or
    `True` and `False`. Parquet is faster, and stores its number of rows.

    A cell of a multivalent field holds its ids joined by `separator`, which no id may
    contain. Before `to_csv`, turn lists into such cells with
    `frame["tags"].map(lambda ids: "|".join(map(str, ids)))`.

    Args:
        paths: A file, a folder, a pattern, a URI, or a list of these, or the result of
            `tf_ctr.data.rows`, whose `separator` then counts.
        schema: A fitted schema.
        batch_size: Rows per batch.
        shuffle: Whether to give each epoch a new random order of the files, and to
            mix the rows of `shuffle_blocks` blocks at a time.
        seed: The seed of the orders. The same seed gives the same epochs again. Every
            pass over the dataset is a new epoch.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label; pass `False` for prediction.
        shuffle_blocks: Blocks of 65,536 rows to mix at a time. More blocks mix better
            and take more memory.
        separator: The text between two ids in a cell of a multivalent field.
        shard: As for `from_rows`.

    Returns:
        A dataset of `({field: tensor}, label)`, label float32 `[B]`, or of
        `({field: tensor}, label, weight)` if the schema has a weight, float32 `[B]`,
        or of `{field: tensor}` if not labelled. With several labels, label and weight
        are dicts by label, and a label that is not known is NaN.

    Raises:
        ValueError, TypeError: As `from_rows`; also if the first cells of a file are not
            of the schema's types.

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
    return stream(
        paths,
        {"format": "csv", "separator": separator},
        schema,
        batch_size,
        shuffle,
        seed,
        drop_remainder,
        labelled,
        shuffle_blocks,
        shard,
    )
