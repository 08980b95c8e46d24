"""Checks the arguments of a schema."""

from collections.abc import Sequence
from typing import Any

from tf_ctr.errors import explain
from tf_ctr.features.field import Field


def check_arguments(
    fields: Sequence[Field], label: Any, group: Any, weight: Any
) -> None:
    """Raises unless the fields have unique names, and the other columns are names.

    Raises:
        ValueError: For no field, a repeated name, or a label or weight that is a field.
        TypeError: For a field of another class, or a column that is not a name.
    """
    if not isinstance(label, str):
        raise TypeError(
            explain(
                "the name of one column as `label`",
                repr(label),
                "pass label='click'; train one model for each further label",
            )
        )
    for argument, name in (("group", group), ("weight", weight)):
        if not isinstance(name, str | None):
            raise TypeError(
                explain(
                    f"a column name as `{argument}`, or None",
                    repr(name),
                    f"pass {argument}={'user' if argument == 'group' else 'weight'!r}",
                )
            )
    for field in fields:
        if not isinstance(field, Field):
            raise TypeError(
                explain("fields only", repr(field), "pass e.g. Categorical('item')")
            )
    names = [field.name for field in fields]
    taken = {*names, *(field.column for field in fields)}
    if not fields or label in taken or len(set(names)) < len(names):
        raise ValueError(
            explain(
                "at least one field, each with a name of its own that is not the label",
                f"fields {names} and label {label!r}",
                "rename or drop the repeated one",
            )
        )
    if weight is not None and weight in {*taken, label}:
        raise ValueError(
            explain(
                "a weight in a column of its own, which no model sees",
                f"weight {weight!r}, with fields {names} and label {label!r}",
                "name another column, or drop the field",
            )
        )
