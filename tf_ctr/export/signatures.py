"""The functions behind the signatures, from requests to scores."""

import tensorflow as tf

from tf_ctr.export.examples import parse_examples
from tf_ctr.export.string_ids import integers, string_spec
from tf_ctr.serving.wire.names import (
    CANDIDATES,
    CLASSES,
    CLASSIFY,
    DEFAULT,
    EXAMPLES,
    REGRESS,
    STRING_IDS,
    has_integer_ids,
)


def signature_functions(schema, encode, predict, predict_candidates, item_fields):
    """Returns the functions of all signatures that a schema allows.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        encode: `{field: raw} -> {field: encoded}`.
        predict: `{field: encoded} -> click [B]`.
        predict_candidates: The same, of `[R]` users and `[R * N]` items; or `None`.
        item_fields: Names of the items' fields.

    Returns:
        `{signature: (function, its tf.TensorSpec)}`.
    """
    fields, raw = schema.fields, schema.raw_signature()

    def score(features):
        return {"click": predict(encode(features))}

    def score_examples(examples):
        with tf.device("/CPU:0"):
            features = parse_examples(examples, fields)
        return predict(encode(features))

    functions = {
        DEFAULT: (score, raw),
        EXAMPLES: (
            lambda examples: {"click": score_examples(examples)},
            _examples("examples"),
        ),
        REGRESS: (
            lambda inputs: {"outputs": score_examples(inputs)},
            _examples("inputs"),
        ),
        CLASSIFY: (
            lambda inputs: _classes(score_examples(inputs)),
            _examples("inputs"),
        ),
    }
    if has_integer_ids(fields):
        text = {field.name: string_spec(field, raw[field.name]) for field in fields}
        functions[STRING_IDS] = (lambda f: score(_integers(f, fields)), text)
    if predict_candidates is not None:

        def score_candidates(features):
            with tf.device("/CPU:0"):
                flat, shape = _flat_rows(features, item_fields)
            click = predict_candidates(encode(flat))
            return {"click": tf.reshape(click, shape)}

        specs = {f.name: _candidate_spec(raw[f.name], item_fields) for f in fields}
        functions[CANDIDATES] = (score_candidates, specs)
    return functions


def _examples(name):
    return tf.TensorSpec([None], tf.string, name)


def _classes(click):
    classes = tf.broadcast_to(tf.constant(CLASSES), [tf.size(click), len(CLASSES)])
    return {"classes": classes, "scores": tf.stack([1 - click, click], axis=1)}


def _integers(features, fields):
    with tf.device("/CPU:0"):
        return {
            field.name: integers(features[field.name], field)
            if field.dtype == "int64"
            else features[field.name]
            for field in fields
        }


def _candidate_spec(spec, item_fields):
    """Inserts N after R, in the specification of an item's field."""
    if spec.name not in item_fields:
        return spec
    return tf.TensorSpec([None, *spec.shape], spec.dtype, spec.name)


def _flat_rows(features, item_fields):
    """Returns the features with `[R * N, ...]` of the items, and `[R, N]`."""
    shape = tf.shape(features[item_fields[0]])[:2]
    checks = [
        tf.debugging.assert_equal(
            tf.shape(value)[:2] if name in item_fields else tf.shape(value)[:1],
            shape if name in item_fields else shape[:1],
            f"{name!r} needs a row per user, and one per candidate if it is an item's",
        )
        for name, value in features.items()
    ]
    with tf.control_dependencies(checks):
        flat = {
            name: tf.reshape(value, tf.concat([[-1], tf.shape(value)[2:]], 0))
            if name in item_fields
            else tf.identity(value)
            for name, value in features.items()
        }
    return flat, shape
