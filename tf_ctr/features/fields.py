"""The fields of a schema together: checked, linked, and as Keras inputs."""

import keras
import tensorflow as tf

from tf_ctr.features.categorical import Categorical
from tf_ctr.features.sequence import Sequence


def vocabulary_owner(field):
    """Returns the field whose vocabulary `field` uses; `None` if there is none."""
    owner = field.owner if isinstance(field, Sequence) else field
    has_one = isinstance(owner, Categorical) and owner.num_buckets is None
    return owner if has_one else None


def raw_spec(field) -> tf.TensorSpec:
    """Returns the specification of a field's raw values."""
    shape = [None, None] if field.multivalent else [None]
    return tf.TensorSpec(shape, field.dtype, field.name)


def keras_input(field) -> keras.KerasTensor:
    """Returns a Keras input for a field's encoded values."""
    if field.table is None:
        return keras.Input((1,), dtype="float32", name=field.name)
    shape = (field.max_length,) if field.multivalent else ()
    return keras.Input(shape, dtype="int64", name=field.name)
