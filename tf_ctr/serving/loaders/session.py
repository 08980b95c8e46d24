"""A version in a TF 1 session, as TF Serving loads and runs it."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.serving.version import DAMAGE, check_version_directory, damaged, signature


class SessionLoader:
    """A loaded version; use it in a `with` block.

    The initialisation of the SavedModel fills its lookup tables, as in the server.

    Args:
        version: A version directory.

    Raises:
        ValueError: If it holds no SavedModel, or one that cannot be loaded.
    """

    def __init__(self, version: str | os.PathLike) -> None:
        version = str(check_version_directory(version))
        # On the CPU: products of a GPU are of reduced precision.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._session.close()

    def __call__(
        self, name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            name: The signature.
            inputs: `{input: array}`.

        Returns:
            `{output: array}`.

        Raises:
            ValueError: For an unknown signature, missing or unknown inputs, or values
                that the graph refuses.
        """
        each = signature(self.meta_graph, name)
        if set(inputs) != set(each.inputs):
            raise ValueError(
                explain(
                    f"the inputs {sorted(each.inputs)} of {name!r}",
                    sorted(inputs),
                    "send each of them, and nothing else",
                )
            )
        arrays = {
            info.name: _as(inputs[key], tf.as_dtype(info.dtype), key)
            for key, info in each.inputs.items()
        }
        outputs = {key: info.name for key, info in each.outputs.items()}
        try:
            return self._session.run(outputs, arrays)
        except (tf.errors.OpError, ValueError) as error:
            raise ValueError(
                explain(
                    f"values that {name!r} takes",
                    str(error)[:500],
                    "correct the request",
                )
            ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences TensorFlow's advice to load eagerly, which the server does not."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def _as(values, dtype, name):
    """Returns an array; refuses other dtypes, which a session would silently cast."""
    array = np.asarray(values)
    text = array.dtype.kind in "SUO"
    if text != (dtype == tf.string) or not (text or array.dtype == dtype):
        raise ValueError(
            explain(f"{name!r} as {dtype.name}", array.dtype, "convert the values")
        )
    return array
