"""A version in a TF 1 session, the way by which TF Serving loads and runs it."""

import contextlib

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.serving.version import DAMAGE, check_version_directory, damaged, signature


class SessionLoader:
    """A loaded version; use it in a `with` block.

    Tables are filled by the initialisation of the SavedModel, as in the server.

    Args:
        version: A version directory.

    Raises:
        ValueError: If it holds no SavedModel, or one that cannot be loaded.
    """

    def __init__(self, version):
        version = str(check_version_directory(version))
        # On the CPU, whose scores the others are compared with.
        config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            with self._session.graph.as_default(), _quiet():
                self.meta_graph = tf.compat.v1.saved_model.load(
                    self._session, ["serve"], version
                )
        except DAMAGE as error:
            self._session.close()
            raise damaged(version, error) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._session.close()

    def __call__(self, name, feeds):
        """Runs a signature.

        Args:
            name: The signature.
            feeds: `{input: array}`.

        Returns:
            `{output: array}`.

        Raises:
            ValueError: For an unknown signature, missing or further inputs, or values
                that the graph refuses.
        """
        each = signature(self.meta_graph, name)
        if set(feeds) != set(each.inputs):
            raise ValueError(
                explain(
                    f"the inputs {sorted(each.inputs)} of {name!r}",
                    sorted(feeds),
                    "give each of them, and nothing else",
                )
            )
        arrays = {
            info.name: _as(feeds[key], tf.as_dtype(info.dtype), key)
            for key, info in each.inputs.items()
        }
        outputs = {key: info.name for key, info in each.outputs.items()}
        try:
            return self._session.run(outputs, arrays)
        except (tf.errors.OpError, ValueError) as error:
            raise ValueError(
                explain(
                    f"values that {name!r} takes", str(error)[:500], "mend the request"
                )
            ) from error


@contextlib.contextmanager
def _quiet():
    """Without the advice to load eagerly: the server does not."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def _as(values, dtype, name):
    """The session would cast numbers silently; the server refuses them."""
    array = np.asarray(values)
    text = array.dtype.kind in "SUO"
    if text != (dtype == tf.string) or not (text or array.dtype == dtype):
        raise ValueError(
            explain(f"{name!r} as {dtype.name}", array.dtype, "convert the values")
        )
    return array
