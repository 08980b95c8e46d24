"""Sums the gradients of all workers: the rows of all tables travel together."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_ctr.optimizers.slices import SummedSlices, sum_duplicates


def sum_of_workers(
    gradients: Sequence[tf.Tensor | tf.IndexedSlices],
    variables: Sequence[keras.Variable],
) -> list[tf.Tensor | tf.IndexedSlices]:
    """Returns the sums of the gradients over all replicas of the current strategy.

    The rows of all tables travel in one message, each with its index: the bytes of a
    step depend on the rows in the batch, not on the size of the tables. Dense gradients
    are summed in one message, too. TensorFlow would send three messages per table. In
    one process, the gradients are returned as they are.

    Args:
        gradients: Gradients without `None`; in sparse ones each row occurs once.
        variables: Their variables.

    Returns:
        The sums; in sparse ones each row occurs once.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return list(gradients)
    sums = list(gradients)
    tables = [i for i, g in enumerate(sums) if _joins(g)]
    others = [i for i in range(len(sums)) if i not in tables]
    if others:
        reduced = context.all_reduce(
            tf.distribute.ReduceOp.SUM, [sums[i] for i in others]
        )
        for i, gradient in zip(others, reduced, strict=True):
            sums[i] = sum_duplicates(gradient)
    if tables:
        joined = _joined_sums(
            context,
            [sums[i] for i in tables],
            [variables[i].shape[1:] for i in tables],
        )
        for i, gradient in zip(tables, joined, strict=True):
            sums[i] = gradient
    return sums


def _joins(gradient):
    # TensorFlow cannot gather eagerly, as in `compile(run_eagerly=True)`.
    return (
        isinstance(gradient, tf.IndexedSlices)
        and gradient.values.dtype == tf.float32
        and not tf.executing_eagerly()
    )


def _joined_sums(context, slices, row_shapes):
    """Sums slices of float32 over the replicas, with a single gathering."""
    # One vector per replica: the numbers of rows, then all indices, then all values.
    # Gathering copies bits, so whole numbers can travel as float32.
    counts = tf.stack([tf.size(each.indices) for each in slices])
    indices = tf.concat([tf.cast(each.indices, tf.int64) for each in slices], 0)
    values = tf.concat([tf.reshape(each.values, [-1]) for each in slices], 0)
    message = tf.concat(
        [
            tf.bitcast(counts, tf.float32),
            tf.reshape(tf.bitcast(indices, tf.float32), [-1]),
            values,
        ],
        0,
    )
    messages = context.all_gather(message, axis=0)
    widths = [shape.num_elements() for shape in row_shapes]
    found = [([], []) for _ in slices]
    start = tf.constant(0)
    for _ in range(context.num_replicas_in_sync):
        rows, cells, start = _parsed(messages, start, widths)
        for (all_rows, all_cells), own_rows, own_cells in zip(
            found, rows, cells, strict=True
        ):
            all_rows.append(own_rows)
            all_cells.append(own_cells)
    return [
        _sum(rows, cells, shape, each)
        for (rows, cells), shape, each in zip(found, row_shapes, slices, strict=True)
    ]


def _parsed(messages, start, widths):
    """Returns indices and values by table of the message at `start`, and its end."""
    end = start + len(widths)
    counts = tf.bitcast(messages[start:end], tf.int32)
    counts.set_shape([len(widths)])
    total = tf.reduce_sum(counts)
    start, end = end, end + 2 * total  # An index of 64 bits takes two places.
    indices = tf.bitcast(tf.reshape(messages[start:end], [-1, 2]), tf.int64)
    rows = tf.split(indices, counts)
    sizes = counts * tf.constant(widths)
    start, end = end, end + tf.reduce_sum(sizes)
    return rows, tf.split(messages[start:end], sizes), end


def _sum(rows, cells, shape, like):
    values = tf.reshape(tf.concat(cells, 0), [-1, *shape])
    rows = tf.cast(tf.concat(rows, 0), like.indices.dtype)
    return sum_duplicates(SummedSlices(values, rows, like.dense_shape))
