"""Integer ids that a client wrote as strings.

JavaScript rounds integers beyond 2^53, so a REST client needs strings for them.
"""

from collections.abc import Mapping

import tensorflow as tf

from tf_ctr.features import Schema
from tf_ctr.features.field import Field
from tf_ctr.features.ids import unseen_ids

LARGEST = str(2**63 - 1)

# What `tf.strings.to_number` can read as int64: `[0-9]{1,18}`, or the digits of LARGEST
# up to a place where there is a smaller one.
INTEGER = "-?0*([0-9]{{1,18}}|{}|{})|-0*{}".format(
    "|".join(
        f"{LARGEST[:place]}[0-{int(digit) - 1}][0-9]{{{18 - place}}}"
        for place, digit in enumerate(LARGEST)
        if digit != "0"
    ),
    LARGEST,
    2**63,
)


def text_specs(schema: Schema) -> dict[str, tf.TensorSpec]:
    """Returns the specifications of a schema's raw values, integer ids as strings."""
    return {
        name: tf.TensorSpec(spec.shape, tf.string, name)
        if spec.dtype == tf.int64
        else spec
        for name, spec in schema.raw_signature().items()
    }


def ids_from_text(
    features: Mapping[str, tf.Tensor], schema: Schema
) -> dict[str, tf.Tensor]:
    """Returns raw features `{field: [B] or [B, T]}` with the ids that strings spell."""
    with tf.device("/CPU:0"):
        return {
            field.name: integers(features[field.name], field)
            if field.dtype == "int64"
            else features[field.name]
            for field in schema.raw_fields
        }


def integers(text: tf.Tensor, field: Field) -> tf.Tensor:
    """Returns the integers that strings spell, by TensorFlow ops.

    The empty string is a missing value. Text that spells no 64-bit integer is an
    unseen id: an error would fail all requests of a batch.

    Args:
        text: Strings of any shape.
        field: A fitted field with integer ids.

    Returns:
        int64 tensor of the shape of `text`.

    Example:

    >>> from tf_ctr import Categorical
    >>> item = Categorical("item", vocabulary=[7, 0])
    >>> integers(tf.constant(["7", "", "x", "9" * 20]), item).numpy()
    array([ 7, -1,  1,  1])
    """
    # A field without rows for unseen ids, such as a time, has only missing ones.
    missing = field.padding
    unseen = str(next(unseen_ids(field.owner)) if field.owner.num_oov else missing)
    spelled = tf.strings.regex_full_match(text, INTEGER)
    replacement = tf.where(text == "", str(field.padding), unseen)
    return tf.strings.to_number(tf.where(spelled, text, replacement), tf.int64)
