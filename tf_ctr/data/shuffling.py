"""Seeded orders: new in every epoch, the same again for the same seed."""

import tensorflow as tf

PARALLEL_READS = 2


def seeds(seed: int) -> tf.data.Dataset:
    """Returns an endless dataset of pairs of numbers, other ones in every epoch."""
    numbers = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)
    return numbers.batch(2, drop_remainder=True)


def shuffled(index, seed, count):
    """Returns where `index` goes in a random order of `range(count)`.

    Computed number by number: an order of a billion rows takes no memory.
    """
    return tf.random.experimental.index_shuffle(index, seed, count - 1)


def in_parts(count: int, read, shuffle: bool, seed: int) -> tf.data.Dataset:
    """Returns the elements of the datasets `read(0)` to `read(count - 1)`.

    With `shuffle` the parts come in a new random order per epoch, and are read
    `PARALLEL_READS` side by side, which mixes them.
    """
    if not shuffle:
        return tf.data.Dataset.range(count).flat_map(read)
    order = (
        seeds(seed)
        .take(1)
        .flat_map(
            lambda pair: tf.data.Dataset.range(count).map(
                lambda part: shuffled(part, pair, count)
            )
        )
    )
    return order.interleave(
        read,
        cycle_length=PARALLEL_READS,
        num_parallel_calls=PARALLEL_READS,
        deterministic=True,
    )
