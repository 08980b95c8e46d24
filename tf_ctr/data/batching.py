"""From blocks of raw rows to batches."""

import tensorflow as tf

from tf_ctr.data.shuffling import seeds, shuffled
from tf_ctr.errors import check_count, explain
from tf_ctr.features.columns import check_rows

# Rows that are read, encoded and handed on together: enough to make the cost of a
# step in Python negligible, few enough to stay in the cache.
BLOCK_ROWS = 1 << 16


def check_arguments(batch_size, seed, shuffle_blocks=1):
    """Raises for arguments that no pipeline can work with."""
    check_count("batch_size", batch_size, 1)
    check_count("seed", seed, 0)
    check_count("shuffle_blocks", shuffle_blocks, 1)


def batches(
    packed, packing, batch_size, shuffle_blocks, seed, drop_remainder
) -> tf.data.Dataset:
    """Returns batches of the rows of packed blocks.

    Args:
        packed: A dataset of blocks of any number of rows, as `packing.pack` makes
            them.
        packing: Turns packed rows into a batch.
        batch_size: Rows of a batch.
        shuffle_blocks: How many times `BLOCK_ROWS` rows to mix at a time; 0 keeps
            their order.
        seed: The seed of the mixing.
        drop_remainder: Whether to leave out a last batch that is not full.
    """
    if shuffle_blocks:
        windows = packed.rebatch(shuffle_blocks * BLOCK_ROWS)
        # Another seed than that of the blocks' order.
        packed = tf.data.Dataset.zip(seeds(seed + 1), windows).map(_mix)
    packed = packed.rebatch(batch_size, drop_remainder=drop_remainder)
    rows = packed.map(packing.unpack, num_parallel_calls=tf.data.AUTOTUNE)
    return rows.prefetch(tf.data.AUTOTUNE)


def with_cardinality(dataset, rows, batch_size, drop_remainder) -> tf.data.Dataset:
    """Returns the dataset with its number of batches, for progress bars."""
    check_rows(rows)
    count = rows // batch_size if drop_remainder else -(-rows // batch_size)
    if not count:
        raise ValueError(
            explain(
                f"at least one full batch of {batch_size} rows",
                f"{rows} rows",
                "lower batch_size, or pass drop_remainder=False",
            )
        )
    return dataset.apply(tf.data.experimental.assert_cardinality(count))


def _mix(seed, packed):
    ids, numbers = packed
    order = shuffled(tf.shape(numbers, tf.int64)[0], seed)
    return tf.gather(ids, order), tf.gather(numbers, order)
