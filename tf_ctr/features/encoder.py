"""The one encoder of raw values, in training and in serving."""

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.features.categorical import Categorical
from tf_ctr.features.numeric import Numeric

UNSEEN = -1


class Encoder:
    """Turns raw tensors into ids and standardised numbers by TensorFlow ops.

    The same ops run in a `tf.data` pipeline and in an exported model, so that
    training and serving cannot differ.

    Args:
        fields: The fitted fields.
    """

    def __init__(self, fields):
        self.fields = fields
        # Out of any graph being traced: tables outlive it. On the CPU, where the
        # lookup ops are.
        with tf.init_scope(), tf.device("CPU:0"):
            self._tables = {
                field.name: _table(field)
                for field in fields
                if isinstance(field, Categorical) and field.vocabulary is not None
            }

    @property
    def tables(self) -> list:
        """The lookup tables, one per vocabulary."""
        return list(self._tables.values())

    def __call__(self, features: dict) -> dict:
        """Encodes every field; entries of `features` that are no field are left out."""
        return {field.name: self._encode(field, features) for field in self.fields}

    def _encode(self, field, features):
        if field.name not in features:
            raise ValueError(
                explain(
                    f"raw values of every field, {field.name!r} among them",
                    f"values of {sorted(features)}",
                    f"add features[{field.name!r}]",
                )
            )
        values = _raw_tensor(features[field.name], field)
        if isinstance(field, Numeric):
            return _numbers(values, field)
        if not field.multivalent:
            return self._rows(values, field)
        return _fixed_length(self._rows(values, field), field)

    def _rows(self, values, field):
        """The row of the embedding table of each raw id."""
        field = field if isinstance(field, Categorical) else field.owner
        if field.num_buckets is not None:
            rows = 1 + bucket(values, field.num_buckets)
            return tf.where(values == field.padding, tf.zeros_like(rows), rows)
        rows = self._tables[field.name].lookup(values)
        if field.num_oov == 1:
            return rows
        return tf.where(rows == UNSEEN, 1 + bucket(values, field.num_oov), rows)


def _table(field):
    first = 1 + field.num_oov
    # The padding value is one more key, of row 0.
    dtype = object if field.dtype == "string" else np.int64
    keys = np.array([field.padding, *field.vocabulary], dtype)
    rows = np.array([0, *range(first, field.table_size)], np.int64)
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(keys), rows)
    default = 1 if field.num_oov == 1 else UNSEEN
    return tf.lookup.StaticHashTable(initializer, default)


def bucket(values, num_buckets):
    """Returns the bucket, from 0, that each id hashes into."""
    text = values if values.dtype == tf.string else tf.strings.as_string(values)
    return tf.strings.to_hash_bucket_fast(text, num_buckets)


def _fixed_length(rows, field):
    """Moves the ids of each row to its left, cut or padded to `max_length`.

    Padding anywhere is dropped before the cut: clients pad a batch to its longest row.
    """
    ids = tf.ragged.boolean_mask(rows, rows > 0)
    length = field.max_length
    ids = ids[:, -length:] if field.keeps_newest else ids[:, :length]
    return ids.to_tensor(0, shape=[None, length])


def _numbers(values, field):
    finite = tf.math.is_finite(values)
    if field.table is None:
        # In float64: the difference of two large numbers may be small.
        scaled = (tf.cast(values, tf.float64) - field.mean) / field.std
        numbers = tf.where(finite, tf.cast(scaled, tf.float32), 0.0)
        return numbers[:, tf.newaxis]
    cuts = tf.constant(field.boundaries, tf.float32)
    bins = tf.searchsorted(cuts, values, side="right", out_type=tf.int64)
    return tf.where(finite, 1 + bins, tf.zeros_like(bins))


def _raw_tensor(value, field):
    """`value` as a tensor of the field's dtype: `[B]`, or `[B, T]` if multivalent."""
    dtype = tf.as_dtype(field.dtype)
    if isinstance(value, tf.RaggedTensor) and field.multivalent:
        value = value.to_tensor(field.padding)
    tensor = _tensor(value, field.name, dtype)
    if not (_castable(tensor.dtype, dtype) and _shape_fits(tensor.shape, field)):
        raise ValueError(
            explain(
                f"field {field.name!r} as {dtype.name} of shape "
                f"{'[B, T]' if field.multivalent else '[B] or [B, 1]'}",
                f"{tensor.dtype.name} of shape {tensor.shape}",
                "cast or reshape it before encoding",
            )
        )
    tensor = tf.cast(tensor, dtype)
    if field.multivalent or tensor.shape.rank == 1:
        return tensor
    return tf.squeeze(tf.ensure_shape(tensor, [None, 1]), axis=1)


def _tensor(value, name, dtype):
    try:
        return tf.convert_to_tensor(value, dtype_hint=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(
            explain(
                f"field {name!r} as {dtype.name} values in a rectangle",
                str(error).rstrip("."),
                "put the field's padding value (NaN for a number) where one is missing",
            )
        ) from error


def _castable(given, wanted):
    if given.is_integer:
        return wanted.is_integer or wanted.is_floating
    return given == wanted or (given.is_floating and wanted.is_floating)


def _shape_fits(shape, field):
    if field.multivalent:
        return shape.rank == 2
    return shape.rank == 1 or (shape.rank == 2 and shape[1] in (1, None))
