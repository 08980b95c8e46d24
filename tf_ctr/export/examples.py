"""Raw features from serialized `tf.train.Example`, in a graph."""

import tensorflow as tf

from tf_ctr.data.examples import example_specs


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
