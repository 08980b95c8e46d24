"""Checks the arguments of a schema."""

from collections.abc import Sequence
from typing import Any

from tf_ctr.errors import explain
from tf_ctr.features.field import Field
from tf_ctr.features.outcomes import Outcomes


def outcomes_of(label: Any, labels: Any, weight: Any) -> Outcomes:
    """Returns the outcomes that the arguments of a schema describe.

    Raises:
        ValueError: For both `label` and `labels`, or as `Outcomes`.
        TypeError: For a label or a weight that is not a name.
    """
    if not isinstance(label, str):
        raise TypeError(
            explain(
                "the name of one column as `label`",
                repr(label),
                "pass label='click', or labels=('click', 'buy') for several",
            )
        )
    if labels is None:
        return Outcomes([label], weight)
    if label != "click":
        raise ValueError(
            explain(
                "either `label` or `labels`",
                f"label={label!r} and labels={labels!r}",
                "leave one of them out",
            )
        )
    return Outcomes(labels, weight)


def check_arguments(fields: Sequence[Field], outcomes: Outcomes, group: Any) -> None:
    """Raises unless the fields have unique names, and the other columns are names.

    Raises:
        ValueError: For no field, a repeated name, or a label or weight that is a field.
        TypeError: For a field of another class, or a column that is not a name.
    """
    if not isinstance(group, str | None):
        raise TypeError(
            explain(
                "a column name as `group`, or None", repr(group), "pass group='user'"
            )
        )
    for field in fields:
        if not isinstance(field, Field):
            raise TypeError(
                explain("fields only", repr(field), "pass e.g. Categorical('item')")
            )
    names = [field.name for field in fields]
    taken = {*names, *(field.column for field in fields)}
    labels = _labels(outcomes)
    if not fields or taken & {*outcomes.names} or len(set(names)) < len(names):
        raise ValueError(
            explain(
                "at least one field, each with a name of its own that is not "
                f"{'a' if outcomes.several else 'the'} label",
                f"fields {names} and {labels}",
                "rename or drop the repeated one",
            )
        )
    weights = {*outcomes.weight_columns.values()}
    if weights & {*taken, *outcomes.names}:
        raise ValueError(
            explain(
                "a weight in a column of its own, which no model sees",
                f"weight {outcomes.weight!r}, with fields {names} and {labels}",
                "name another column, or drop the field",
            )
        )


def _labels(outcomes: Outcomes) -> str:
    names = ", ".join(map(repr, outcomes.names))
    return f"labels {names}" if outcomes.several else f"label {names}"
