"""Streams batches from Parquet files, row group by row group."""

import tensorflow as tf

from tf_ctr.data.streaming import stream
from tf_ctr.features import Schema
from tf_ctr.rows import Source


def from_parquet(
    paths: Source,
    schema: Schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
    shuffle_blocks: int = 8,
    shard: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """Returns the rows of Parquet files as batches; `from_rows` with that format.

    Args:
        paths: A file, a folder, a pattern, a URI, or a list of these, or the result of
            `tf_ctr.data.rows`.
        schema: A fitted schema.
        batch_size: Rows per batch.
        shuffle: Whether to give each epoch a new random order.
        seed: The seed of the orders. The same seed gives the same epochs again. Every
            pass over the dataset is a new epoch.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label; pass `False` for prediction.
        shuffle_blocks: Blocks of 65,536 rows to mix at a time. More blocks mix better
            and take more memory.
        shard: As for `from_rows`.

    Returns:
        A dataset of `({field: tensor}, label)`, label float32 `[B]`, or of
        `({field: tensor}, label, weight)` if the schema has a weight, float32 `[B]`,
        or of `{field: tensor}` if not labelled. With several labels, label and weight
        are dicts by label, and a label that is not known is NaN.

    Raises:
        ValueError, TypeError: As `from_rows`.

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
    return stream(
        paths,
        {"format": "parquet"},
        schema,
        batch_size,
        shuffle,
        seed,
        drop_remainder,
        labelled,
        shuffle_blocks,
        shard,
    )
