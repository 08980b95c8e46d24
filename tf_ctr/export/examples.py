"""Raw features as serialized `tf.train.Example`, and back in a graph."""

import tensorflow as tf

LISTS = {
    "string": ("bytes_list", tf.train.BytesList),
    "int64": ("int64_list", tf.train.Int64List),
    "float32": ("float_list", tf.train.FloatList),
}


def parse_examples(serialized, fields):
    """Returns raw features of examples, by TensorFlow ops.

    A feature that an example lacks is a missing value.

    Args:
        serialized: Strings `[B]`, each a `tf.train.Example` with a feature per field.
        fields: The fitted fields of a schema.

    Returns:
        `{field: [B]}`, or `[B, T]` for multivalued fields, T the longest of them.
    """
    spec = {field.name: _feature_spec(field) for field in fields}
    parsed = tf.io.parse_example(serialized, spec)
    return {
        field.name: parsed[field.name].to_tensor(field.padding)
        if field.multivalent
        else parsed[field.name]
        for field in fields
    }


def to_examples(columns, fields):
    """Returns the `tf.train.Example` of each row.

    Padding in the lists of multivalued fields is left out.

    Args:
        columns: `{field: array [B] or [B, T]}`, strings as bytes.
        fields: The fitted fields of a schema.

    Returns:
        A list of B protos.

    Example:

    >>> import numpy as np
    >>> from tf_ctr import Categorical
    >>> user = Categorical("user", vocabulary=["ann"])
    >>> [example] = to_examples({"user": np.array([b"ann"])}, [user])
    >>> example.features.feature["user"].bytes_list.value
    [b'ann']
    """
    rows = zip(*(_lists(columns[field.name], field) for field in fields), strict=True)
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    field.name: _feature(values, field.dtype)
                    for field, values in zip(fields, row, strict=True)
                }
            )
        )
        for row in rows
    ]


def _feature_spec(field):
    if field.multivalent:
        return tf.io.RaggedFeature(field.dtype)
    missing = float("nan") if field.dtype == "float32" else field.padding
    return tf.io.FixedLenFeature([], field.dtype, missing)


def _lists(column, field):
    if not field.multivalent:
        return [[value] for value in column.tolist()]
    padding = field.padding
    padding = padding.encode() if field.dtype == "string" else padding
    return [[v for v in row if v != padding] for row in column.tolist()]


def _feature(values, dtype):
    name, kind = LISTS[dtype]
    return tf.train.Feature(**{name: kind(value=values)})
