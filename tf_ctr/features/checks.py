"""Checks of arguments that the field specs share."""

import re

from tf_ctr.errors import explain

POOLINGS = ("mean", "sum")


def check_name(name):
    """Raises unless `name` can name a column, a Keras input and a served input."""
    # Anything else is rewritten by tf.function, so that the served input would be
    # called differently from the field.
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(
            explain(
                "a field name of letters, digits and underscores",
                repr(name),
                "rename the column: frame.rename(columns={...})",
            )
        )


def check_choice(argument, value, choices):
    """Raises unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(
            explain(
                f"`{argument}` to be one of {', '.join(map(repr, choices))}",
                repr(value),
                f"pass {argument}={choices[0]!r}",
            )
        )


def check_count(argument, value, minimum):
    """Raises unless `value` is a whole number of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(
            explain(
                f"`{argument}` to be a whole number of at least {minimum}",
                repr(value),
                f"pass {argument}={minimum} or more",
            )
        )
