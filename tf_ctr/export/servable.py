"""The module that is saved: raw columns in, click probability out."""

import re

import tensorflow as tf

from tf_ctr.errors import explain


class Servable(tf.Module):
    """Lookups and model in one function, holding only what that function uses.

    Keras's `model.export` stores every variable twice, and saving an object that
    holds the model drags the optimizer in. Here the module owns the raw
    `tf.Variable`s that the traced function captured: no optimizer, no metric, no
    temperature, no random seed, and every variable once.

    The function is plain: a server without XLA rejects a compiled one.

    Args:
        model: A `keras.Model` from `{field: encoded}` to `[B, 1]` or `[B]`.
        schema: The fitted `tf_ctr.Schema` of its inputs.

    Attributes:
        score: `tf.function`, `{field: raw [B] or [B, T]} -> {"click": [B]}`.
        weights: The variables that `score` reads.
        tables: The lookup tables of the schema.

    Raises:
        ValueError: If the model draws random numbers or writes to a variable at
            inference.
    """

    def __init__(self, model, schema):
        super().__init__(name="servable")

        def score(features):
            click = model(schema.encode(features), training=False)
            return {"click": tf.cast(tf.reshape(click, [-1]), tf.float32)}

        self.score = tf.function(
            score, input_signature=[schema.raw_signature()], autograph=False
        )
        traced = self.score.get_concrete_function()
        _check_pure(traced)
        # In the order of use, which stays the same from version to version.
        by_handle = {id(variable.handle): variable for variable in traced.variables}
        captured = [id(tensor) for tensor in traced.captured_inputs]
        self.weights = [by_handle[key] for key in captured if key in by_handle]
        self.tables = schema.tables

    def save(self, path):
        """Writes the SavedModel, with `score` as `serving_default`, to `path`."""
        signatures = {"serving_default": self.score.get_concrete_function()}
        tf.saved_model.save(self, str(path), signatures=signatures)


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
