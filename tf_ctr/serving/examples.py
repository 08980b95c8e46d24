"""Rows as `tf.train.Example`, which `classify` and `regress` take."""

import numpy as np
import tensorflow as tf


def to_examples(inputs) -> list:
    """Returns `{field: array [B] or [B, T]}` as a `tf.train.Example` per row."""
    names, rows = list(inputs), len(next(iter(inputs.values())))
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={name: _feature(inputs[name][i]) for name in names}
            )
        )
        for i in range(rows)
    ]


def _feature(values):
    values = np.atleast_1d(values)
    if values.dtype.kind in "OS":
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values.tolist()))
    if values.dtype.kind in "iu":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
