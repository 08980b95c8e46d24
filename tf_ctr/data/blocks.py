"""Blocks of rows: `(raw, places, label)`, what `Packing.pack` takes."""

import numpy as np
import tensorflow as tf

from tf_ctr.features import Categorical, columns


def frame_block(frame, schema, labelled: bool):
    """Returns the rows of a frame as one block.

    Of a field with one id per row only the distinct ids go through strings and
    lookups, which is several times faster than all of them.

    Args:
        frame: A pandas frame.
        schema: The fitted schema.
        labelled: Whether to take the label; else it is 0.

    Returns:
        Raw values per field, the place of each row in them where they are distinct
        ones, and the label.
    """
    raw, places = {}, {}
    for field in schema.fields:
        if _has_one_id(field):
            raw[field.name], places[field.name] = columns.distinct(frame, field)
        else:
            raw[field.name] = columns.raw(frame, field)
    label = schema.labels(frame) if labelled else np.zeros(len(frame), np.float32)
    return raw, places, label


def block_signature(schema):
    """Returns the specification of what `frame_block` returns."""
    places = {
        field.name: tf.TensorSpec([None], tf.int32)
        for field in schema.fields
        if _has_one_id(field)
    }
    return schema.raw_signature(), places, tf.TensorSpec([None], tf.float32)


def _has_one_id(field):
    return isinstance(field, Categorical) and not field.multivalent
