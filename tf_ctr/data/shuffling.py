"""Seeded orders: new in every epoch, the same again for the same seed."""

import tensorflow as tf

PARALLEL_READS = 4


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
