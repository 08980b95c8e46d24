"""The functions behind the signatures, from requests to scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from tf_ctr.data.examples import parse_examples
from tf_ctr.export.string_ids import ids_from_text, text_specs
from tf_ctr.features import Schema
from tf_ctr.serving.wire.signatures import (
    CANDIDATES,
    CLASSES,
    CLASSIFY,
    DEFAULT,
    EXAMPLES,
    REGRESS,
    STRING_IDS,
    has_integer_ids,
)

Tensors = Mapping[str, tf.Tensor]
# Of one label, or of each of several.
Scores: TypeAlias = tf.Tensor | Tensors


class Signature(NamedTuple):
    """A signature to be traced.

    Attributes:
        function: From the inputs to `{output: tensor}`.
        specs: The one argument of the function: a `tf.TensorSpec`, or one per field.
    """

    function: Callable[[Any], Tensors]
    specs: tf.TensorSpec | dict[str, tf.TensorSpec]


def signature_functions(
    schema: Schema,
    encode: Callable[[Tensors], Tensors],
    predict: Callable[[Tensors], Scores],
    predict_candidates: Callable[[Tensors], Scores] | None,
    item_fields: Sequence[str],
) -> dict[str, Signature]:
    """Returns `{name: Signature}` of all signatures that a schema allows.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        encode: `{field: raw} -> {field: encoded}`.
        predict: `{field: encoded} -> click [B]`, or `{label: [B]}`.
        predict_candidates: The same for users `[R]` and items `[R * N]`; `None` for no
            signature `candidates`.
        item_fields: Names of the items' fields.
    """
    raw = schema.raw_signature()

    def score(features):
        return _named(predict(encode(features)))

    def score_examples(examples):
        with tf.device("/CPU:0"):
            features = parse_examples(examples, schema.fields)
        return predict(encode(features))

    def classify(inputs):
        click = score_examples(inputs)
        classes = tf.broadcast_to(tf.constant(CLASSES), [tf.size(click), len(CLASSES)])
        return {"classes": classes, "scores": tf.stack([1 - click, click], axis=1)}

    inputs = tf.TensorSpec([None], tf.string, "inputs")
    functions = {
        DEFAULT: Signature(score, raw),
        EXAMPLES: Signature(
            lambda examples: _named(score_examples(examples)),
            tf.TensorSpec([None], tf.string, "examples"),
        ),
    }
    if not schema.outcomes.several:
        # The server wants these two inputs, and the outputs, by these names.
        functions[REGRESS] = Signature(
            lambda inputs: {"outputs": score_examples(inputs)}, inputs
        )
        functions[CLASSIFY] = Signature(classify, inputs)
    if has_integer_ids(schema):
        functions[STRING_IDS] = Signature(
            lambda features: score(ids_from_text(features, schema)), text_specs(schema)
        )
    if predict_candidates is not None:

        def score_candidates(features):
            with tf.device("/CPU:0"):
                flat, shape = _flat_rows(features, item_fields)
            scores = _named(predict_candidates(encode(flat)))
            return {label: tf.reshape(scores[label], shape) for label in scores}

        functions[CANDIDATES] = Signature(
            score_candidates,
            {
                name: tf.TensorSpec([None, *spec.shape], spec.dtype, name)
                if name in item_fields  # N after R.
                else spec
                for name, spec in raw.items()
            },
        )
    return functions


def _named(scores: Scores) -> Tensors:
    """Scores by label; the output of a model with one is `click`."""
    return scores if isinstance(scores, Mapping) else {"click": scores}


def _flat_rows(features, item_fields):
    """Returns the features with items `[R * N, ...]`, and the shape `[R, N]`."""
    sizes = {name: tf.shape(value) for name, value in features.items()}
    rows = tf.stack([size[0] for size in sizes.values()])
    columns = tf.stack([sizes[name][1] for name in item_fields])
    # One check for all: one per input would cost more than its lookup.
    check = tf.debugging.Assert(
        tf.reduce_all(rows == rows[0]) & tf.reduce_all(columns == columns[0]),
        [
            f"Each input needs a row per user: {[*features]} have",
            rows,
            f"rows; and those of items a column per candidate: {[*item_fields]} have",
            columns,
        ],
        summarize=len(features),
    )
    # Without the dependency a graph would leave the check out: nothing reads it.
    with tf.control_dependencies([check]):
        flat = {
            name: _joined(value) if name in item_fields else tf.identity(value)
            for name, value in features.items()
        }
    return flat, tf.stack([rows[0], columns[0]])


def _joined(value):
    """`[R, N, ...]` as `[R * N, ...]`."""
    return tf.reshape(
        value, [-1] if value.shape.rank == 2 else [-1, tf.shape(value)[2]]
    )
