"""Variables that a strategy of `tf.distribute` keeps several copies of."""

import keras
import tensorflow as tf


def own_copy(variable: keras.Variable | tf.Variable) -> tf.Variable:
    """Returns the variable of TensorFlow that holds this replica's values.

    Single rows can be read from it and written to it. A variable of Keras is read whole
    before it is gathered from, and so is one of a strategy, whose class has no
    `sparse_read` of its own: `tf.gather` then copies the table.

    Args:
        variable: A variable of Keras or TensorFlow.

    Example:

    >>> own_copy(keras.Variable([[1.0]])).sparse_read([0]).numpy()
    array([[1.]], dtype=float32)
    """
    value = variable.value if isinstance(variable, keras.Variable) else variable
    if isinstance(value, tf.distribute.DistributedValues):
        return value._get()  # Not public: that of the current replica or update.
    return value
