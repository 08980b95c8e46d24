"""From blocks of raw rows to batches."""

import tensorflow as tf

from tf_ctr.errors import check_count, explain
from tf_ctr.features.columns import check_rows

# Rows that are read, encoded and handed on together: enough to make the cost of a
# step in Python negligible, few enough to stay in the cache.
BLOCK_ROWS = 1 << 16

PARALLEL_READS = 4


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


def seeds(seed: int) -> tf.data.Dataset:
    """Returns an endless dataset of pairs of numbers, other ones in every epoch.

    They depend on TensorFlow's global seed, too, as all of its random ops do.
    """
    numbers = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)
    return numbers.batch(2, drop_remainder=True)


def shuffled(count, seed) -> tf.Tensor:
    """Returns the numbers `0..count-1` in a random order, int64 `[count]`."""
    # `index_shuffle` would need no memory, but its neighbours are far from
    # independent: a correlation of 0.45 for 2**20 numbers.
    numbers = tf.range(count, dtype=tf.int64)
    return tf.random.experimental.stateless_shuffle(numbers, seed)


def in_parts(count: int, read, shuffle: bool, seed: int) -> tf.data.Dataset:
    """Returns the elements of the datasets `read(0)` to `read(count - 1)`.

    With `shuffle` the parts come in a new random order per epoch, and are read
    `PARALLEL_READS` side by side, which mixes them.
    """
    if not shuffle:
        return tf.data.Dataset.range(count).flat_map(read)

    def order(pair):
        return tf.data.Dataset.from_tensor_slices(shuffled(count, pair))

    parts = seeds(seed).take(1).flat_map(order)
    return parts.interleave(
        read,
        cycle_length=PARALLEL_READS,
        num_parallel_calls=PARALLEL_READS,
        deterministic=True,
    )
