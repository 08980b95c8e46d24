"""JSON requests of `:classify` and `:regress` as examples, by the server's rules."""

import tensorflow as tf

from tf_ctr.export.json_requests import json_value, refuse


def example_feeds(body):
    """Returns the serialized examples of the body of `:classify` or `:regress`.

    Integers become int64 features, numbers with a point float ones, text bytes. What
    `context` holds goes into every example that lacks it.

    Source: TensorFlow Serving, RESTful API, "Classify and Regress API".

    Args:
        body: The parsed JSON.

    Returns:
        A list of bytes.

    Raises:
        ValueError: For a body that the server answers with status 400.
    """
    rows = body.get("examples") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        refuse("a list of rows as 'examples'", repr(rows)[:80], "give one at least")
    if unknown := set(body) - {"examples", "context", "signature_name"}:
        refuse("no further key", sorted(unknown), "remove it")
    return [_example({**body.get("context", {}), **row}) for row in rows]


def _example(values):
    features = {name: _feature(value, name) for name, value in values.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()


def _feature(value, name):
    flat = value if isinstance(value, list) else [value]
    if all(isinstance(each, int) for each in flat):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=flat))
    if all(isinstance(each, int | float) for each in flat):
        return tf.train.Feature(float_list=tf.train.FloatList(value=flat))
    text = [json_value(each, tf.string, name) for each in flat]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=text))
