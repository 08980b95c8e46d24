"""From blocks of raw rows to batches."""

import tensorflow as tf

from tf_ctr.data.packing import Packing
from tf_ctr.data.shuffling import seeds, shuffled
from tf_ctr.features.checks import check_count

# Rows that are read, encoded and handed on together: enough to make the cost of a
# step in Python negligible, few enough to stay in the cache.
BLOCK_ROWS = 1 << 16


def check_arguments(batch_size, seed, shuffle_blocks=1):
    """Raises for arguments that no pipeline can work with."""
    check_count("batch_size", batch_size, 1)
    check_count("seed", seed, 0)
    check_count("shuffle_blocks", shuffle_blocks, 1)


def batches(
    blocks, schema, batch_size, shuffle, seed, shuffle_blocks, drop_remainder, labelled
) -> tf.data.Dataset:
    """Returns batches of the rows of `blocks`.

    Args:
        blocks: A dataset of blocks of many rows, see `blocks.py`.
        schema: The fitted schema.
        batch_size: Rows of a batch.
        shuffle: Whether to mix the rows.
        seed: The seed of the mixing.
        shuffle_blocks: How many blocks of `BLOCK_ROWS` rows are mixed at a time.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether batches have a label.
    """
    packing = Packing(schema, labelled)
    packed = blocks.map(packing.pack, num_parallel_calls=tf.data.AUTOTUNE)
    if shuffle:
        windows = packed.rebatch(shuffle_blocks * BLOCK_ROWS)
        # Another seed than that of the blocks' order.
        packed = tf.data.Dataset.zip(seeds(seed + 1), windows).map(_mix)
    packed = packed.rebatch(batch_size, drop_remainder=drop_remainder)
    rows = packed.map(packing.unpack, num_parallel_calls=tf.data.AUTOTUNE)
    return rows.prefetch(tf.data.AUTOTUNE)


def number_of_batches(rows: int, batch_size: int, drop_remainder: bool) -> int:
    """Returns how many batches `rows` rows make."""
    return rows // batch_size if drop_remainder else -(-rows // batch_size)


def _mix(seed, packed):
    ids, numbers = packed
    count = tf.shape(numbers, tf.int64)[0]
    order = shuffled(tf.range(count), seed, count)
    return tf.gather(ids, order), tf.gather(numbers, order)
