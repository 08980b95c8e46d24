"""A loaded version: what `SessionLoader` and `ProcessLoader` have in common."""

import abc
import os
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.serving.version import check_version_directory, read_meta_graph, signature

# `{signature: {input or output: array}}`.
Tensors = Mapping[str, Mapping[str, np.ndarray]]


class RefusedError(Exception):
    """A request that the graph refuses; the message says why."""


class Loader(abc.ABC):
    """A loaded version, whose signatures can be called; use it in a `with` block.

    Args:
        version: A version directory.

    Attributes:
        meta_graph: The graph that was loaded, with its signatures.

    Raises:
        ValueError: If it holds no SavedModel, or one that cannot be loaded.
    """

    def __init__(self, version: str | os.PathLike) -> None:
        self.version = check_version_directory(version).resolve()
        self.meta_graph = read_meta_graph(version)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

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
            return self._run(arrays, outputs)
        except RefusedError as error:
            raise ValueError(
                explain(
                    f"values that {name!r} takes",
                    str(error)[:500],
                    "correct the request",
                )
            ) from error

    def run(self, requests: Tensors) -> dict[str, dict[str, np.ndarray]]:
        """Runs several signatures.

        Args:
            requests: `{signature: {input: array}}`.

        Returns:
            `{signature: {output: array}}`.

        Raises:
            ValueError: As for a call.
        """
        return {name: self(name, inputs) for name, inputs in requests.items()}

    @abc.abstractmethod
    def close(self) -> None:
        """Frees what the version holds."""

    @abc.abstractmethod
    def _run(
        self, feeds: Mapping[str, np.ndarray], fetches: Mapping[str, str]
    ) -> dict[str, np.ndarray]:
        """Runs the graph: `{tensor: array}` and `{output: tensor}`.

        Raises:
            RefusedError: If the graph refuses the values.
        """


def _as(values, dtype, name):
    """Returns an array; refuses other dtypes, which a session would silently cast."""
    array = np.asarray(values)
    text = array.dtype.kind in "SUO"
    if text != (dtype == tf.string) or not (text or array.dtype == dtype):
        raise ValueError(
            explain(f"{name!r} as {dtype.name}", array.dtype, "convert the values")
        )
    return array
