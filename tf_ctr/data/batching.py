"""Makes batches from blocks of packed rows, in order or shuffled."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tf_ctr.data.passes import seeds
from tf_ctr.errors import check_count, explain
from tf_ctr.features.columns import check_rows, only_zero_weights
from tf_ctr.rows import parts

if TYPE_CHECKING:
    from tf_ctr.data.packing import Packing

PARALLEL_READS = 4


def check_arguments(batch_size: Any, seed: Any, shuffle_blocks: Any = 1) -> None:
    """Raises unless the arguments that all readers share are whole numbers in range.

    Raises:
        ValueError: If an argument is not.
    """
    check_count("batch_size", batch_size, 1)
    check_count("seed", seed, 0)
    check_count("shuffle_blocks", shuffle_blocks, 1)


def batches(
    packed: tf.data.Dataset,
    packing: "Packing",
    batch_size: int,
    shuffle_blocks: int,
    seed: int,
    drop_remainder: bool,
) -> tf.data.Dataset:
    """Returns batches of the rows of packed blocks.

    Args:
        packed: A dataset of results of `packing.pack`, each of any number of rows.
        packing: Turns packed rows into a batch.
        batch_size: Rows per batch.
        shuffle_blocks: Blocks of `parts.BLOCK_ROWS` rows to mix at a time; 0
            keeps the order.
        seed: The seed of the mixing.
        drop_remainder: Whether to leave out a last batch that is not full.
    """
    if packing.weights:
        packed = _with_some_weight(packed, packing)
    if shuffle_blocks:

        def mixed(seed_pair, matrices):
            ids, numbers = matrices
            order = shuffled(tf.shape(numbers, tf.int64)[0], seed_pair)
            return tf.gather(ids, order), tf.gather(numbers, order)

        windows = packed.rebatch(shuffle_blocks * parts.BLOCK_ROWS)
        # With the seed of the parts, both orders would be the same, not independent.
        packed = tf.data.Dataset.zip(seeds(seed + 1), windows).map(mixed)
    packed = packed.rebatch(batch_size, drop_remainder=drop_remainder)
    rows = packed.map(packing.unpack, num_parallel_calls=tf.data.AUTOTUNE)
    return rows.prefetch(tf.data.AUTOTUNE)


def _with_some_weight(packed: tf.data.Dataset, packing: "Packing") -> tf.data.Dataset:
    """Returns the blocks; raises at their end if all weights of a column were 0."""
    weights = packing.weights
    messages = [only_zero_weights(weight) for weight in weights]
    empty = [tf.zeros([0, *spec.shape[1:]], spec.dtype) for spec in packing.signature]
    end = tf.data.Dataset.from_tensors((*empty, True))

    def check(highest, block):
        ids, numbers, is_end = block
        of_block = tf.reduce_max(numbers[:, -len(weights) :], axis=0)
        highest = tf.maximum(highest, of_block)
        right = tf.unstack(~is_end | (highest > 0))
        checks = [
            tf.debugging.Assert(each, [message])
            for each, message in zip(right, messages, strict=True)
        ]
        with tf.control_dependencies(checks):
            return highest, (ids, numbers, tf.identity(is_end))

    blocks = packed.map(lambda ids, numbers: (ids, numbers, False)).concatenate(end)
    blocks = blocks.scan(tf.zeros(len(weights)), check)
    blocks = blocks.filter(lambda ids, numbers, is_end: ~is_end)
    return blocks.map(lambda ids, numbers, is_end: (ids, numbers))


def with_cardinality(
    dataset: tf.data.Dataset, rows: int, batch_size: int, drop_remainder: bool
) -> tf.data.Dataset:
    """Returns the dataset with its number of batches, for progress bars.

    Raises:
        ValueError: If there is no batch.
    """
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


def in_parts(
    count: int,
    read: Callable[[tf.Tensor], tf.data.Dataset],
    shuffle: bool,
    seed: int,
    open_at_once: int = PARALLEL_READS,
) -> tf.data.Dataset:
    """Returns the elements of the datasets `read(0)` to `read(count - 1)`.

    With `shuffle`, every epoch reads the parts in a new random order, `open_at_once` of
    them in turns, which mixes their elements.
    """
    if not shuffle:
        return tf.data.Dataset.range(count).flat_map(read)

    def order(seed_pair):
        return tf.data.Dataset.from_tensor_slices(shuffled(count, seed_pair))

    shuffled_parts = seeds(seed).take(1).flat_map(order)
    return shuffled_parts.interleave(
        read,
        cycle_length=open_at_once,
        num_parallel_calls=PARALLEL_READS,
        # Otherwise the order would depend on which part is read faster.
        deterministic=True,
    )


def shuffled(count: int | tf.Tensor, seed_pair: tf.Tensor) -> tf.Tensor:
    """Returns the numbers `0..count-1` in a random order, int64 `[count]`."""
    # `index_shuffle` would need no memory, but its neighbouring results are far from
    # independent: their correlation is 0.45 for 2**20 numbers.
    numbers = tf.range(count, dtype=tf.int64)
    return tf.random.experimental.stateless_shuffle(numbers, seed_pair)
