"""Batches from a pandas frame in memory."""

import tensorflow as tf

from tf_ctr.data.batching import check_arguments, number_of_batches
from tf_ctr.data.blocks import frame_block
from tf_ctr.data.packing import Packing
from tf_ctr.data.shuffling import seeds, shuffled
from tf_ctr.errors import explain
from tf_ctr.features.columns import check_frame, check_rows, chunks


def from_frame(
    frame,
    schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
) -> tf.data.Dataset:
    """Returns the rows of a frame as batches, encoded once and kept in memory.

    Args:
        frame: A pandas frame with the schema's fields and label.
        schema: A fitted `Schema`.
        batch_size: Rows of a batch.
        shuffle: Whether to give each epoch a new random order of all rows.
        seed: The seed of the orders: the same one gives the same epochs again.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label. `False` is for prediction.

    Returns:
        A dataset of `({field: tensor}, label)`, label float32 `[B]`, or of
        `{field: tensor}` if not labelled.

    Raises:
        ValueError: For a missing column, a label other than 0 and 1, no row, fewer
            rows than one full batch with `drop_remainder`, or a wrong argument.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> import pandas
    >>> from tf_ctr.data import from_frame
    >>> from tf_ctr.features import Categorical, Schema
    >>> frame = pandas.DataFrame({"item": ["a", "b", "a"], "click": [0, 1, 1]})
    >>> schema = Schema([Categorical("item")]).fit(frame)
    >>> for features, label in from_frame(frame, schema, batch_size=2):
    ...     print(features["item"].numpy(), label.numpy())
    [2 3] [0. 1.]
    [2] [1.]
    """
    check_arguments(batch_size, seed)
    check_frame(frame)
    check_rows(len(frame))
    count = number_of_batches(len(frame), batch_size, drop_remainder)
    if not count:
        raise ValueError(
            explain(
                f"at least one full batch of {batch_size} rows",
                f"{len(frame)} rows",
                "lower batch_size, or pass drop_remainder=False",
            )
        )
    packing = Packing(schema, labelled)
    ids, numbers = _pack(frame, schema, packing, labelled)
    starts = tf.data.Dataset.range(0, count * batch_size, batch_size)
    # One seed per epoch, with every start of a batch in it.
    positions = (
        seeds(seed)
        .take(1)
        .flat_map(lambda pair: starts.map(lambda start: (start, pair)))
    )

    def batch(start, pair):
        stop = start + batch_size
        size = batch_size if drop_remainder else tf.minimum(stop, len(frame)) - start
        index = start + tf.range(size, dtype=tf.int64)
        index = shuffled(index, pair, len(frame)) if shuffle else index
        return packing.unpack(tf.gather(ids, index), tf.gather(numbers, index))

    dataset = positions.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    return dataset.prefetch(tf.data.AUTOTUNE)


def _pack(frame, schema, packing, labelled):
    # On the CPU, where the batches are gathered: an accelerator would be asked for
    # its copy at every step.
    ids, numbers = [], []
    with tf.device("CPU:0"):
        for rows in chunks(frame):
            block = frame_block(rows, schema, labelled)
            some_ids, some_numbers = packing.pack(*block)
            ids.append(some_ids)
            numbers.append(some_numbers)
        return tf.concat(ids, 0), tf.concat(numbers, 0)
