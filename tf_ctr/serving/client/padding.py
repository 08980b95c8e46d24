"""Missing values and lists of a column, filled so that requests join in a batch."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.features.field import Field, known
from tf_ctr.serving.client.rows import is_missing, values_of


def filled(
    values: Sequence[Any], info: meta_graph_pb2.TensorInfo, field: Field
) -> list[Any]:
    """Returns a column whose lists of ids all have the field's `max_length`.

    As `Field.raw_values`, for signatures whose values are not the schema's: integer ids
    as text in `string_ids`, and a further dimension for the items of `candidates`.

    Args:
        values: A value per row: nested lists, as deep as the input has dimensions.
        info: The input of the signature.
        field: The fitted field that the input belongs to.

    Returns:
        The column with missing values as the field's padding, and lists of ids without
        missing ones, cut to `max_length` or padded on the right. What does not fit the
        input is left as it is.

    Example:

    >>> from tensorflow.core.framework import types_pb2
    >>> from tf_ctr import Categorical
    >>> tags = Categorical("tags", vocabulary=["a"], multivalent=True, max_length=2)
    >>> info = meta_graph_pb2.TensorInfo(dtype=types_pb2.DT_STRING)
    >>> _ = [info.tensor_shape.dim.add(size=-1) for _ in "BT"]
    >>> filled([["a"], None, ["a", None, "b", "c"]], info, tags)
    [['a', ''], ['', ''], ['a', 'b']]
    """
    is_text = tf.as_dtype(info.dtype) == tf.string
    # Text spells a missing integer as "", not as the integer that pads.
    padding = "" if is_text and field.dtype != "string" else field.padding
    depth = len(info.tensor_shape.dim) - 1
    return [_filled(value, depth, field, padding) for value in values]


def _filled(value, depth, field, padding):
    if depth == 0:
        return padding if is_missing(value) else value
    if is_missing(value) and depth == len(field.row_shape) and not field.multivalent:
        return [padding] * field.width
    values = [] if is_missing(value) else values_of(value)
    if values is None:
        return value
    if depth > 1 or not field.multivalent:
        return [_filled(each, depth - 1, field, padding) for each in values]
    length = known(field.max_length)
    if any(values_of(each) is not None for each in values):
        return values  # Lists that are too deep.
    if field.keeps_places:
        ids = [padding if is_missing(each) else each for each in values]
    else:
        ids = [each for each in values if not is_missing(each) and each != padding]
    ids = ids[-length:] if field.keeps_newest else ids[:length]
    return ids + [padding] * (length - len(ids))
