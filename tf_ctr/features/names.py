"""What a field may be called."""

import re
from typing import Any

from tf_ctr.errors import explain


def check_field_name(name: Any) -> None:
    """Raises unless `name` can name a column, a Keras input and a served input."""
    # tf.function rewrites any other name, so that the served input would not have the
    # field's name. It passes inputs by keyword to a method, so `self` is taken.
    named = isinstance(name, str) and re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)
    if not named or name == "self":
        raise ValueError(
            explain(
                "a field name of letters, digits and underscores, other than 'self'",
                repr(name),
                "name the field otherwise, and the column by column=..., e.g. "
                "Categorical('user_item', column='user-item')",
            )
        )
