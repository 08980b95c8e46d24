"""Sparse gradients in which each row occurs once."""

import tensorflow as tf


class SummedSlices(tf.IndexedSlices):
    """Slices in which each row occurs once, and which can be divided by a number.

    Keras undoes its loss scale with `gradient / scale`, which plain `tf.IndexedSlices`
    do not support.
    """

    def __truediv__(self, divisor: float | tf.Tensor) -> "SummedSlices":
        return SummedSlices(self.values / divisor, self.indices, self.dense_shape)


def sum_duplicates(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor | SummedSlices:
    """Adds up the slices of each row that occurs more than once.

    Args:
        gradient: `tf.IndexedSlices`; a dense gradient is returned unchanged.

    Returns:
        `SummedSlices` with the same dense value.

    Example:

    >>> slices = tf.IndexedSlices(tf.constant([[1.0], [5.0], [2.0]]), [7, 0, 7])
    >>> sum_duplicates(slices).values.numpy().ravel().tolist()
    [3.0, 5.0]
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, position = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
    return SummedSlices(values, rows, gradient.dense_shape)
