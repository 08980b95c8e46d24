"""Runs signatures of a SavedModel on tensors in files, with nothing but TensorFlow.

It is run by its path in a process of its own, where neither tf_ctr nor Keras can be
imported, as on a server. `cpp_loader.cc` takes the same arguments.

    python -P run_signatures.py SAVED_MODEL SIGNATURE FOLDER [SIGNATURE FOLDER]...

A folder holds one file per input, `<input>.in`, a serialized TensorProto. The outputs
are written to it as `<output>.out`.
"""

import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

if __name__ == "__main__":
    # TensorFlow imports Keras by itself where it is installed; None makes that fail.
    sys.modules.update(keras=None, tf_ctr=None)  # type: ignore[call-overload]

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2


def run_signatures(
    loaded: Any, requests: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the outputs of signatures.

    Args:
        loaded: What `tf.saved_model.load` returned.
        requests: `{signature: {input: array}}`.

    Returns:
        `{signature: {output: array}}`.
    """
    results = {}
    for name, arrays in requests.items():
        tensors = {key: tf.constant(values) for key, values in arrays.items()}
        outputs = loaded.signatures[name](**tensors)
        results[name] = {key: value.numpy() for key, value in outputs.items()}
    return results


def write_tensors(
    folder: str | os.PathLike, tensors: Mapping[str, np.ndarray], suffix: str
) -> None:
    """Writes `{name: array}`, a file per name.

    Raises:
        ValueError: If a name is a path.
    """
    for name, values in tensors.items():
        if pathlib.PurePath(name).name != name or "\\" in name:
            raise ValueError(f"The name {name!r} is a path, so nothing is written.")
        proto = tf.make_tensor_proto(values)
        pathlib.Path(folder, name + suffix).write_bytes(proto.SerializeToString())


def read_tensors(folder: str | os.PathLike, suffix: str) -> dict[str, np.ndarray]:
    """Returns the `{name: array}` that `write_tensors` wrote."""
    return {
        file.name.removesuffix(suffix): tf.make_ndarray(
            tensor_pb2.TensorProto.FromString(file.read_bytes())
        )
        for file in sorted(pathlib.Path(folder).glob("*" + suffix))
    }


def main(saved_model: str, *pairs: str) -> None:
    """Runs each signature on the tensors in its folder."""
    folders = dict(zip(pairs[::2], pairs[1::2], strict=True))
    requests = {name: read_tensors(folder, ".in") for name, folder in folders.items()}
    # The loaded object owns the weights: keep it until all signatures have run.
    loaded = tf.saved_model.load(saved_model)
    for name, outputs in run_signatures(loaded, requests).items():
        write_tensors(folders[name], outputs, ".out")


if __name__ == "__main__":
    main(*sys.argv[1:])
