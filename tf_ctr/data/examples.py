"""Converts rows to and from `tf.train.Example`, for TFRecord files and requests.

An example has one feature per field: a list of strings, integers or floats. An empty
list or an absent feature is a missing value.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_ctr.features.field import Field, Id

# The kind of feature that holds raw values of a dtype.
FEATURE_KIND = {
    "string": "bytes_list",
    "int64": "int64_list",
    "float32": "float_list",
}


def to_examples(
    columns: Mapping[str, np.ndarray], fields: Iterable[Field] = ()
) -> Iterator[tf.train.Example]:
    """Yields the example of each row.

    Args:
        columns: `{name: array [B] or [B, T]}`, strings as text or as bytes.
        fields: Fitted fields. Padding in the lists of multivalent fields is left out.

    Example:

    >>> import numpy as np
    >>> [example] = to_examples({"user": np.array([b"ann"])})
    >>> example.features.feature["user"].bytes_list.value
    [b'ann']
    """
    paddings = {
        field.name: field.padding
        for field in fields
        if field.multivalent and not field.keeps_places
    }
    features = [_features(column, paddings.get(n)) for n, column in columns.items()]
    for row in zip(*features, strict=True):
        feature = dict(zip(columns, row, strict=True))
        yield tf.train.Example(features=tf.train.Features(feature=feature))


def parse_examples(
    serialized: tf.Tensor, fields: Sequence[Field]
) -> dict[str, tf.Tensor]:
    """Returns the raw features of examples, parsed with TensorFlow ops.

    Args:
        serialized: Strings `[B]`, each a serialized `tf.train.Example`.
        fields: Fitted fields. A field that an example lacks is a missing value.

    Returns:
        `{field: [B]}`, or `[B, T]` for multivalent fields, T the length of the longest
        list.
    """
    parsed = tf.io.parse_example(serialized, parsing_specs(fields))
    return {
        field.name: parsed[field.name].to_tensor(field.padding)
        if field.multivalent
        else parsed[field.name]
        for field in fields
        if not field.parts
    }


def parsing_specs(fields: Iterable[Field]) -> dict[str, Any]:
    """Returns `{field: specification}`, for `tf.io.parse_example`.

    Args:
        fields: Fitted fields. A field that an example lacks is a missing value.
    """
    return {
        field.name: tf.io.RaggedFeature(field.dtype)
        if field.multivalent
        else tf.io.FixedLenFeature(
            field.row_shape,
            field.dtype,
            [field.padding] * field.width if field.row_shape else field.padding,
        )
        for field in fields
        if not field.parts
    }


def _features(
    column: np.ndarray, padding: Id | float | None
) -> Iterator[tf.train.Feature]:
    """Yields the feature of each row, its values without padding."""
    missing = {padding, padding.encode()} if isinstance(padding, str) else {padding}
    rows = column[:, np.newaxis] if column.ndim == 1 else column
    # As Python values, which protobuf accepts faster than NumPy values.
    for row in rows.tolist():
        values = [value for value in row if value not in missing]
        if column.dtype.kind in "OSU":
            texts = [v if isinstance(v, bytes) else v.encode() for v in values]
            yield tf.train.Feature(bytes_list=tf.train.BytesList(value=texts))
        elif column.dtype.kind in "iu":
            yield tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        else:
            yield tf.train.Feature(float_list=tf.train.FloatList(value=values))
