"""TensorFlow's warning of repeated tracing, where it is no mistake."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def expected_tracing():
    """Keeps TensorFlow from warning that one function is traced again and again.

    Every period has a model of its own, whose functions are traced once.

    Example:

    >>> with expected_tracing():
    ...     for _ in range(9):
    ...         _ = tf.function(lambda x: x + 1)(tf.constant(1))
    """
    logger = tf.get_logger()
    logger.addFilter(_says_something_else)
    try:
        yield
    finally:
        logger.removeFilter(_says_something_else)


def _says_something_else(record):
    return "triggered tf.function retracing" not in record.getMessage()
