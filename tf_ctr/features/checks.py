"""Checks of arguments that the field specs share."""

import math
import re

from tf_ctr.errors import check_count, explain

POOLINGS = ("mean", "sum")


def check_name(name):
    """Raises unless `name` can name a column, a Keras input and a served input."""
    # Anything else is rewritten by tf.function, so that the served input would be
    # called differently from the field. A signature is a method, called by keywords.
    named = isinstance(name, str) and re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)
    if not named or name == "self":
        raise ValueError(
            explain(
                "a field name of letters, digits and underscores, other than 'self'",
                repr(name),
                "rename the column: frame.rename(columns={...})",
            )
        )


def set_count(field, argument, least, most=math.inf):
    """Checks an argument of a frozen field, and makes a Python `int` of it."""
    value = getattr(field, argument)
    check_count(argument, value, least, most)
    # JSON holds Python values only.
    object.__setattr__(field, argument, int(value))
