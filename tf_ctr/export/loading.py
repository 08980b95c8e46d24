"""A version loaded by TensorFlow 2, or an error that says it is damaged."""

import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.export.meta_graph import check_version_directory

# What TensorFlow raises for files that are missing, cut short or exchanged.
DAMAGE = (tf.errors.OpError, OSError, RuntimeError, ValueError, TypeError, LookupError)


def load_saved_model(version):
    """Returns `tf.saved_model.load(version)`, on the CPU.

    Args:
        version: A version directory.

    Raises:
        ValueError: If it holds no SavedModel, or one that cannot be loaded.

    Example:

    >>> load_saved_model("savedmodels/no-such-model/1")
    Traceback (most recent call last):
    ValueError: Expected a version directory, with a saved_model.pb...
    """
    version = str(check_version_directory(version))
    try:
        # On the CPU: products of a GPU are of reduced precision.
        with tf.device("/CPU:0"):
            return tf.saved_model.load(version)
    except DAMAGE as error:
        raise damaged(version, error) from error


def damaged(version, error) -> ValueError:
    """Returns the exception for a version that TensorFlow cannot load."""
    return ValueError(
        explain(
            "a SavedModel that can be loaded",
            f"{version}: {str(error)[:500].rstrip('.')}",
            "export or copy the version again",
        )
    )
