"""Fields that use the embedding table and the vocabulary of another field."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from tf_ctr.errors import check_name, explain
from tf_ctr.features.arrow import as_ids, flat_lists
from tf_ctr.features.columns import column
from tf_ctr.features.field import Field
from tf_ctr.features.learning import LONGEST, FieldStatistics, Learner

if TYPE_CHECKING:
    from tf_ctr.features.categorical import Categorical


def find_owner(name: str, fields: Mapping[str, Field]) -> "Categorical":
    """Returns the field of a name, whose table another field is to share.

    Args:
        name: The name.
        fields: `{name: field}` of the schema.

    Raises:
        ValueError: If there is no such field of ids with a table of its own.
    """
    owners = {
        field.name: field
        for field in fields.values()
        if field.kind == "Categorical" and field.table == field.name
    }
    check_name("categorical field", name, owners)
    return cast("Categorical", owners[name])


def linked_owner(field: Field, owner: "Categorical | None") -> "Categorical":
    """Returns `owner`, which a field has only as part of a schema.

    Raises:
        ValueError: If it is `None`.
    """
    if owner is None:
        raise ValueError(
            explain(
                f"the field {field.name!r} of a schema",
                "one that is not part of a schema",
                f"take it from the schema: schema.field({field.name!r})",
            )
        )
    return owner


def check_ids_alike(field: Field, owner: Field) -> None:
    """Raises if a field gives another dtype or padding than that of its table.

    Raises:
        ValueError: With both.
    """
    for argument in ("dtype", "padding"):
        mine, theirs = getattr(field, argument), getattr(owner, argument)
        if mine is not None and theirs is not None and mine != theirs:
            raise ValueError(
                explain(
                    f"the ids of field {field.name!r} like those of {owner.name!r}, "
                    f"whose table it shares: {argument}={theirs!r}",
                    f"{argument}={mine!r}",
                    f"leave {argument} out, or convert the column",
                )
            )


def check_no_table_of_its_own(field: "Categorical") -> None:
    """Raises if a field that shares a table has arguments for one of its own.

    Raises:
        ValueError: With the arguments.
    """
    own = field.vocabulary, field.num_buckets, field.min_count, field.num_oov
    if own != (None, None, 1, 1) or field.pretrained is not None:
        raise ValueError(
            explain(
                "either a `table` of another field, or `vocabulary`, "
                "`num_buckets`, `min_count`, `num_oov` and `pretrained`",
                f"both, for field {field.name!r}",
                f"give these to the field {field.table!r}",
            )
        )


class SharedIdCheck(Learner):
    """Learns only the length of lists: the rest is that of the shared table.

    Args:
        field: The field.
    """

    def __init__(self, field: "Categorical"):
        self._field = field
        self._longest = 1

    def update(self, frame: pd.DataFrame) -> None:
        """Checks that the column of one more frame holds ids."""
        array, name = column(frame, self._field.column), self._field.column
        if self._field.multivalent:
            array, rows = flat_lists(array, name)
            self._longest = max(self._longest, np.bincount(rows, minlength=1).max())
        as_ids(array, name, self._field.dtype)

    def statistics(self, period: int) -> "Lengths":
        """Returns the length of the longest list."""
        return Lengths(int(self._longest))


@dataclasses.dataclass(frozen=True)
class Lengths(FieldStatistics):
    """The lists of a field that shares the table of another one.

    Attributes:
        longest: The length of the longest list, at least 1.
    """

    longest: int

    @property
    def kind(self) -> dict[str, Any]:
        """What the values are; see `FieldStatistics.kind`."""
        return {"values": "shared ids"}

    def merged(self, others: "Sequence[Lengths]") -> "Lengths":
        """Returns the statistics of all rows; see `FieldStatistics.merged`."""
        return Lengths(max(each.longest for each in (self, *others)))

    def complete(
        self, field: "Categorical", grow: bool = False
    ) -> tuple["Categorical", None]:
        """Returns the field, with the length of its lists."""
        if not field.multivalent or field.max_length is not None:
            return field, None
        longest = min(self.longest, LONGEST)
        return dataclasses.replace(field, max_length=longest), None

    def state(self) -> dict[str, Any]:
        """Returns the length; see `FieldStatistics.state`."""
        return dataclasses.asdict(self)

    @classmethod
    def restored(cls, state: Mapping[str, Any], table: pa.Table) -> "Lengths":
        """Returns the statistics of a `state`."""
        return cls(**state)
