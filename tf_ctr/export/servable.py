"""The module that is saved: raw columns in, probabilities out."""

import os
import pathlib
import re
from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow.compat.v1.saved_model.signature_def_utils import MethodNameUpdater

# Not public: pinned by a test.
from tensorflow.python.saved_model.fingerprinting_utils import write_fingerprint

from tf_ctr.errors import explain
from tf_ctr.export.signatures import signature_functions
from tf_ctr.export.vocabularies import table_from_file
from tf_ctr.features import Schema
from tf_ctr.features.encoding import Encoder
from tf_ctr.serving.wire.signatures import CLASSIFY, REGRESS

METHOD_NAMES = {
    CLASSIFY: "tensorflow/serving/classify",
    REGRESS: "tensorflow/serving/regress",
}


class Servable:
    """Lookups and model in two functions, holding only what these use.

    Keras's `model.export` stores every variable twice, and saving an object that
    holds the model drags the optimizer in. Here a module owns the raw `tf.Variable`s
    that the traced functions captured: no optimizer, no metric, no temperature, no
    random seed, and every variable once.

    The functions are plain: a server without XLA rejects a compiled one. Lookups and
    strings are placed on the CPU, the only device that can run them. The model is not
    placed, so that all of it goes to a GPU if there is one.

    Args:
        model: A `keras.Model` from `{field: encoded}` to `[B, 1]` or `[B]`, or to
            `{label: [B, 1] or [B]}`.
        schema: The fitted `tf_ctr.Schema` of its inputs.
        vocabularies: An empty folder for the vocabularies, which `save` copies.
        candidates: The same for users `[R]` and items `[R * N]`; `None` for no
            signature `candidates`.
        item_fields: Names of the items' fields, for that signature.

    Attributes:
        signatures: `{name: the traced function}`.
        module: What is saved: `encode`, `{field: raw [B] or [B, T]} -> {field:
            encoded}`; `predict_encoded`, `{field: encoded} -> click [B]`, or to
            `{label: [B]}` for several labels; the lookup `tables`, and `weights`, the
            variables that the functions read.

    Raises:
        ValueError: If the model draws random numbers or writes to a variable at
            inference.
    """

    def __init__(
        self,
        model: keras.Model,
        schema: Schema,
        vocabularies: pathlib.Path,
        candidates: keras.Model | None = None,
        item_fields: Sequence[str] = (),
    ) -> None:
        encoder = Encoder(
            schema.fields, lambda field: table_from_file(field, vocabularies)
        )
        encoded = {
            name: tf.TensorSpec(each.shape, each.dtype, name)
            for name, each in schema.inputs().items()
        }

        def encode(features):
            with tf.device("/CPU:0"):
                return encoder(features)

        self.module = tf.Module(name="servable")
        self.module.encode = _function(encode, schema.raw_signature())
        self.module.predict_encoded = _function(_scorer(model), encoded)
        functions = signature_functions(
            schema,
            self.module.encode,
            self.module.predict_encoded,
            None if candidates is None else _function(_scorer(candidates), encoded),
            item_fields,
        )
        # Traced here, and no attributes of the module, whose functions TensorFlow
        # traces once more to save them.
        self.signatures = {
            name: _function(each.function, each.specs).get_concrete_function()
            for name, each in functions.items()
        }
        self.module.weights = _captured_variables(self.signatures.values())
        self.module.tables = encoder.tables

    def save(self, path: str | os.PathLike) -> None:
        """Writes the SavedModel with all signatures to `path`."""
        path = str(path)
        tf.saved_model.save(self.module, path, signatures=self.signatures)
        # TensorFlow 2 writes all as `predict`, which some clients and older servers
        # reject for the others.
        updater = MethodNameUpdater(path)
        for name, method in METHOD_NAMES.items():
            if name in self.signatures:  # Not with several labels.
                updater.replace_method_name(name, method, tags="serve")
        updater.save()
        write_fingerprint(path)  # The signatures are part of it.


def _function(function, *specs):
    return tf.function(function, input_signature=specs, autograph=False)


def _scorer(model):
    def flat(scores):
        return tf.cast(tf.reshape(scores, [-1]), tf.float32)

    def predict(encoded):
        scores = model(encoded, training=False)
        if isinstance(scores, dict):
            return {label: flat(each) for label, each in scores.items()}
        return flat(scores)

    return predict


def _captured_variables(functions):
    """Returns the variables that functions read, in the order of their use.

    The order stays the same from version to version.
    """
    found = {}
    for traced in functions:
        _check_pure(traced)
        by_handle = {id(variable.handle): variable for variable in traced.variables}
        for tensor in traced.captured_inputs:
            if id(tensor) in by_handle:
                found.setdefault(id(tensor), by_handle[id(tensor)])
    return list(found.values())


def _check_pure(traced):
    """Raises if a function depends on more than its arguments and the weights."""
    graph = traced.graph.as_graph_def()
    nodes = list(graph.node)
    for function in graph.library.function:
        nodes.extend(function.node_def)
    impure = {
        node.op
        for node in nodes
        if re.search("^Assign|^ResourceScatter|Random", node.op)
    }
    if impure:
        raise ValueError(
            explain(
                "a model that is deterministic and writes no variable at inference",
                f"one with the operations {sorted(impure)}",
                "build it without sampling at inference (sample_at_eval=False)",
            )
        )
