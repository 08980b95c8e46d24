"""The fields of a schema in a `tf.train.Example`, in files and in requests."""

import numpy as np
import tensorflow as tf


def example_specs(fields) -> dict:
    """Returns how fields are parsed from examples; one that is not there is missing.

    Args:
        fields: The fitted fields of a schema.

    Returns:
        `{field: feature}`, for `tf.io.parse_example`.
    """
    return {field.name: _spec(field) for field in fields}


def _spec(field):
    if field.multivalent:
        return tf.io.RaggedFeature(field.dtype)
    missing = float("nan") if field.dtype == "float32" else field.padding
    return tf.io.FixedLenFeature([], field.dtype, missing)


def to_examples(columns, fields):
    """Yields the `tf.train.Example` of each row.

    Padding in the lists of multivalued fields is left out.

    Args:
        columns: `{field: array [B] or [B, T]}`, strings as text or as bytes.
        fields: The fitted fields of a schema.

    Example:

    >>> import numpy as np
    >>> from tf_ctr import Categorical
    >>> user = Categorical("user", vocabulary=["ann"])
    >>> [example] = to_examples({"user": np.array([b"ann"])}, [user])
    >>> example.features.feature["user"].bytes_list.value
    [b'ann']
    """
    rows = zip(*(_lists(columns[field.name], field) for field in fields), strict=True)
    for row in rows:
        values = zip(fields, row, strict=True)
        feature = {field.name: _feature(value, field.dtype) for field, value in values}
        yield tf.train.Example(features=tf.train.Features(feature=feature))


def _lists(column, field):
    if not field.multivalent:
        return column[:, np.newaxis]
    padding = field.padding.encode() if column.dtype.kind == "S" else field.padding
    return [row[row != padding] for row in column]


def _feature(values, dtype):
    if dtype == "string":
        encoded = [v if isinstance(v, bytes) else v.encode() for v in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
    if dtype == "int64":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def parse_examples(serialized, fields):
    """Returns raw features of examples, by TensorFlow ops.

    A feature that an example lacks is a missing value.

    Args:
        serialized: Strings `[B]`, each a `tf.train.Example` with a feature per field.
        fields: The fitted fields of a schema.

    Returns:
        `{field: [B]}`, or `[B, T]` for multivalued fields, T the longest of them.
    """
    parsed = tf.io.parse_example(serialized, example_specs(fields))
    return {
        field.name: parsed[field.name].to_tensor(field.padding)
        if field.multivalent
        else parsed[field.name]
        for field in fields
    }


def inputs_as_examples(inputs) -> list:
    """Returns `{field: array [B] or [B, T]}` as a `tf.train.Example` per row."""
    names, rows = list(inputs), len(next(iter(inputs.values())))
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={name: _inferred_feature(inputs[name][i]) for name in names}
            )
        )
        for i in range(rows)
    ]


def _inferred_feature(values):
    values = np.atleast_1d(values)
    if values.dtype.kind in "OS":
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values.tolist()))
    if values.dtype.kind in "iu":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
