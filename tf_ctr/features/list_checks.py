"""Checks of the arguments of a categorical field: lists, and hashed ids."""

from typing import TYPE_CHECKING

from tf_ctr.errors import explain
from tf_ctr.features.names import check_field_name

if TYPE_CHECKING:
    from tf_ctr.features.categorical import Categorical

# `tf_ctr.data` holds rows as 32-bit integers on their way to a batch.
MOST_ROWS = 2**31 - 2


def check_lists(field: "Categorical") -> None:
    """Raises unless the arguments for lists fit each other.

    Raises:
        ValueError: For `max_length` or `weights` of a field without lists.
    """
    for argument in ("max_length", "weights"):
        value = getattr(field, argument)
        if value is not None and not field.multivalent:
            raise ValueError(
                explain(
                    f"`{argument}` only with a multivalent field",
                    f"{argument}={value!r} for field {field.name!r}",
                    f"pass multivalent=True, or leave {argument} out",
                )
            )
    if field.max_length is not None:
        field._set_count("max_length", 1)
    if field.weights is not None:
        check_field_name(field.weights)


def check_hashed(field: "Categorical") -> None:
    """Raises unless a hashed field has no argument for a vocabulary.

    Raises:
        ValueError: With the arguments.
    """
    field._set_count("num_buckets", 1, MOST_ROWS)
    if field.vocabulary is not None or (field.min_count, field.num_oov) != (1, 1):
        raise ValueError(
            explain(
                "either `num_buckets`, or `vocabulary`, `min_count` and `num_oov`",
                f"both, for field {field.name!r}",
                "leave one of them out: a hashed field has no vocabulary",
            )
        )
