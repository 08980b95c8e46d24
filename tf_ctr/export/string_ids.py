"""Integer ids that a client wrote as strings.

JavaScript rounds integers beyond 2^53, so a REST client needs strings for them.
"""

import itertools

import tensorflow as tf

LARGEST = str(2**63 - 1)

# `[0-9]{1,18}`, or the digits of LARGEST up to a place where there is a smaller one.
INTEGER = "-?0*([0-9]{{1,18}}|{}|{})|-0*{}".format(
    "|".join(
        f"{LARGEST[:place]}[0-{int(digit) - 1}][0-9]{{{18 - place}}}"
        for place, digit in enumerate(LARGEST)
        if digit != "0"
    ),
    LARGEST,
    2**63,
)


def string_spec(field, spec):
    """Returns the specification of a field's raw values with its ids as strings."""
    if field.dtype != "int64":
        return spec
    return tf.TensorSpec(spec.shape, tf.string, spec.name)


def integers(text, field):
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
    spelled = tf.strings.regex_full_match(text, INTEGER)
    text = tf.where(
        spelled, text, tf.where(text == "", str(field.padding), _unseen(field))
    )
    return tf.strings.to_number(text, tf.int64)


def _unseen(field):
    """The first natural number that is neither an id of the field nor padding."""
    owner = getattr(field, "owner", field)
    taken = {owner.padding, *(owner.vocabulary or ())}
    return str(next(i for i in itertools.count() if i not in taken))
