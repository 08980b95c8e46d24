"""Runs signatures of a SavedModel on tensors in files, with nothing but TensorFlow.

Run by its path in a process of its own, where neither tf_ctr nor Keras can be
imported: what a server has. `cpp_loader.cc` takes the same arguments.

    python -P run_signatures.py SAVED_MODEL SIGNATURE FOLDER [SIGNATURE FOLDER]...

A folder holds one file of a serialized TensorProto per input, `<input>.in`; the
outputs are written to it as `<output>.out`.
"""

import pathlib
import sys

if __name__ == "__main__":
    # TensorFlow imports an installed Keras by itself; None makes any import fail.
    sys.modules.update(keras=None, tf_ctr=None)

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2


def write_tensors(folder, tensors, suffix):
    """Writes `{name: array}` as a file per name."""
    for name, values in tensors.items():
        proto = tf.make_tensor_proto(values)
        pathlib.Path(folder, name + suffix).write_bytes(proto.SerializeToString())


def read_tensors(folder, suffix):
    """Returns `{name: array}` of what `write_tensors` wrote."""
    return {
        file.name.removesuffix(suffix): tf.make_ndarray(
            tensor_pb2.TensorProto.FromString(file.read_bytes())
        )
        for file in sorted(pathlib.Path(folder).glob("*" + suffix))
    }


def run_signatures(loaded, feeds):
    """Returns `{signature: {output: array}}` for `{signature: {input: array}}`."""
    results = {}
    for name, arrays in feeds.items():
        tensors = {key: tf.constant(values) for key, values in arrays.items()}
        outputs = loaded.signatures[name](**tensors)
        results[name] = {key: value.numpy() for key, value in outputs.items()}
    return results


def main(saved_model, *pairs):
    """Runs each signature on the tensors of its folder."""
    folders = dict(zip(pairs[::2], pairs[1::2], strict=True))
    feeds = {name: read_tensors(folder, ".in") for name, folder in folders.items()}
    loaded = tf.saved_model.load(saved_model)  # Owns the weights: keep it to the end.
    for name, outputs in run_signatures(loaded, feeds).items():
        write_tensors(folders[name], outputs, ".out")


if __name__ == "__main__":
    main(*sys.argv[1:])
