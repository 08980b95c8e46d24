"""The functions behind the signatures, from requests to scores.

Integer ids that a client wrote as strings.

JavaScript rounds integers beyond 2^53, so a REST client needs strings for them.
"""

import itertools

import tensorflow as tf

from tf_ctr.data.examples import parse_examples
from tf_ctr.errors import explain, unknown_name
from tf_ctr.features import Sequence
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

LARGEST = str(2**63 - 1)

# `[0-9]{1,18}`, or the digits of LARGEST up to a place where there is a smaller one.
INTEGER = "-?0*([0-9]{{1,18}}|{}|{})|-0*{}".format(
    "|".join(
        f"{LARGEST[:place]}[0-{int(digit) - 1}][0-9]{{{18 - place}}}"
        for place, digit in enumerate(LARGEST)
        if digit != "0"
    ),
    LARGEST,
    2**63,
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
    if has_integer_ids(schema):
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


def string_spec(field, spec):
    """Returns the specification of a field's raw values with its ids as strings."""
    if field.dtype != "int64":
        return spec
    return tf.TensorSpec(spec.shape, tf.string, spec.name)


def integers(text, field):
    """Returns the integers that strings spell, by TensorFlow ops.

    The empty string is a missing value. Text that spells no 64-bit integer is an
    unseen id: an error would fail all requests of a batch.

    Args:
        text: Strings of any shape.
        field: A fitted field with integer ids.

    Returns:
        int64 tensor of the shape of `text`.

    Example:

    >>> from tf_ctr import Categorical
    >>> item = Categorical("item", vocabulary=[7, 0])
    >>> integers(tf.constant(["7", "", "x", "9" * 20]), item).numpy()
    array([ 7, -1,  1,  1])
    """
    spelled = tf.strings.regex_full_match(text, INTEGER)
    text = tf.where(
        spelled, text, tf.where(text == "", str(field.padding), _unseen(field))
    )
    return tf.strings.to_number(text, tf.int64)


def _unseen(field):
    """The first natural number that is neither an id of the field nor padding."""
    taken = {field.padding, *(field.owner.vocabulary or ())}
    return str(next(i for i in itertools.count() if i not in taken))


def candidate_fields(schema, item_fields=None) -> list:
    """Returns the names of the fields that every candidate item has values of its own.

    Args:
        schema: A `tf_ctr.Schema`.
        item_fields: Their names. `None` takes all but the schema's group and its
            sequences: what surely is the user's. A context field among the items'
            costs more, and moves no score.

    Returns:
        Names in the order of the schema; none if all fields are of one kind.

    Raises:
        ValueError: If a name is no field, or no field or all of them are the items'.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> fields = [Categorical("item"), Sequence("history", of="item")]
    >>> candidate_fields(Schema(fields))
    ['item']
    """
    names = [field.name for field in schema.fields]
    if item_fields is None:
        users = {schema.group, *schema.of_kind(Sequence)}
        items = [name for name in names if name not in users]
        return items if len(items) < len(names) else []
    chosen = {item_fields} if isinstance(item_fields, str) else set(item_fields)
    for name in sorted(chosen - set(names)):
        raise ValueError(unknown_name("field", name, names))
    if not 0 < len(chosen) < len(names):
        raise ValueError(
            explain(
                "some fields of the items, and some of the user",
                f"item_fields={sorted(chosen)} of the fields {names}",
                "name the items' only, or leave item_fields out",
            )
        )
    return [name for name in names if name in chosen]
