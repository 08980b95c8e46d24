"""What fields learn from rows: one pass over the data, in parts that can be merged.

A field makes its `Learner`, which reads every frame and returns `FieldStatistics`:
enough to complete the field, or any other field of the same column and kind. Those of
several parts merge to what one learner of all rows would have returned, to the bit.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import pandas as pd
import pyarrow as pa

from tf_ctr.errors import explain
from tf_ctr.features.columns import check_rows
from tf_ctr.features.field import Field
from tf_ctr.features.reading import frames_of, rows_of
from tf_ctr.rows import Source
from tf_ctr.rows.parts import located

# A learned `max_length` is at most this.
LONGEST = 128


class FieldStatistics(abc.ABC):
    """What the rows say about one field."""

    @property
    @abc.abstractmethod
    def kind(self) -> dict[str, Any]:
        """What the statistics are of, e.g. the dtype of ids; `None` if not known yet.

        Statistics can be merged, and complete a field, if these values agree.
        """

    @abc.abstractmethod
    def merged(self, others: Sequence[Any]) -> "FieldStatistics":
        """Returns the statistics of these rows and those of others of this kind."""

    @abc.abstractmethod
    def complete(self, field: Any, grow: bool = False) -> tuple[Field, float | None]:
        """Returns a field with what it leaves open, and its coverage.

        Args:
            field: A field of this kind.
            grow: Whether to append new ids to a known vocabulary. A new id must be seen
                `min_count` times; a known id stays, whatever its count.

        Returns:
            The completed field, and the share of values with a row of their own:
            `None` if values are not counted, or if there were none.

        Raises:
            ValueError: If the field has nothing to learn from.
        """

    def without_idle(self, since: int) -> "FieldStatistics":
        """Returns a copy without what was last seen before a period."""
        return self

    @abc.abstractmethod
    def state(self) -> dict[str, Any]:
        """Returns all but `table`, as values that JSON can hold."""

    def table(self) -> pa.Table:
        """Returns `id`, `count` and `last`, the period in which it was last seen."""
        none = pa.nulls(0, pa.int64())
        return pa.table({"id": none, "count": none, "last": none})

    @classmethod
    @abc.abstractmethod
    def restored(cls, state: Mapping[str, Any], table: pa.Table) -> "FieldStatistics":
        """Returns the statistics of a `state` and a `table`."""


@dataclasses.dataclass(frozen=True)
class Presence(FieldStatistics):
    """How many rows have a value: all that a field says which learns nothing.

    Attributes:
        rows: The number of rows.
        given: The number of rows with a value.
    """

    rows: int
    given: int

    @property
    def kind(self) -> dict[str, Any]:
        """What the values are; see `FieldStatistics.kind`."""
        return {"values": "any"}

    def merged(self, others: "Sequence[Presence]") -> "Presence":
        """Returns the statistics of all rows; see `FieldStatistics.merged`."""
        parts = (self, *others)
        return Presence(sum(p.rows for p in parts), sum(p.given for p in parts))

    def complete(self, field: Field, grow: bool = False) -> tuple[Field, float | None]:
        """Returns the field itself; see `FieldStatistics.complete`."""
        return field, share(self.given, self.rows)

    def state(self) -> dict[str, Any]:
        """Returns the two numbers; see `FieldStatistics.state`."""
        return dataclasses.asdict(self)

    @classmethod
    def restored(cls, state: Mapping[str, Any], table: pa.Table) -> "Presence":
        """Returns the statistics of a `state`."""
        return cls(**state)


class Learner(abc.ABC):
    """Reads the column of a field, frame by frame."""

    @abc.abstractmethod
    def update(self, frame: pd.DataFrame) -> None:
        """Reads the column of one more frame.

        Raises:
            ValueError: If the frame lacks the column.
            TypeError: If the values do not fit the field.
        """

    def statistics(self, period: int) -> FieldStatistics | None:
        """Returns what the frames say; `None` for a field that learns nothing.

        Args:
            period: The number of the period of the rows.
        """
        return None


def read_all(
    learners: Sequence[Learner],
    fields: Sequence[Field],
    data: Source,
    verbose: int = 0,
) -> int:
    """Runs the learners over all frames, and returns the number of rows.

    Args:
        learners: One per field.
        fields: The fields.
        data: Rows of any kind; see `tf_ctr.data.rows`.
        verbose: 1 for a progress bar.

    Raises:
        ValueError: For a missing column, or no row.
        TypeError: For a column whose values do not fit its field.
    """

    def update(frame):
        for learner in learners:
            learner.update(frame)

    rows, opened = 0, rows_of(data, fields)
    bar = keras.utils.Progbar(opened.count, verbose=verbose, unit_name="row")
    # An empty frame of each kind of file tells at once whether the columns fit.
    for place, frame in frames_of(opened, fields, check=update):
        rows += len(frame)
        with located(place):
            update(frame)
        bar.update(rows)
    check_rows(rows)
    if opened.count is None:
        bar.update(rows, finalize=True)
    return rows


def check_kind(name: str, found: FieldStatistics, wanted: FieldStatistics) -> None:
    """Raises unless what is known of both kinds agrees.

    Args:
        name: The name of the field.
        found: Statistics.
        wanted: Others, which they should be like.

    Raises:
        ValueError: With what differs.
    """
    pairs = [
        {key: kind.get(key) for key in {**found.kind, **wanted.kind}}
        for kind in (found.kind, wanted.kind)
    ]
    differing = [
        key
        for key in pairs[0]
        if pairs[0][key] != pairs[1][key] and None not in (pairs[0][key], pairs[1][key])
    ]
    if found.kind["values"] != wanted.kind["values"] or differing:
        shown = [", ".join(f"{k} {each[k]!r}" for k in differing) for each in pairs]
        raise ValueError(
            explain(
                f"statistics of field {name!r} with {shown[1]}",
                shown[0],
                "collect all parts by one schema; give the field a dtype= if a part "
                "cannot tell it",
            )
        )


def share(part: int, whole: int) -> float | None:
    """Returns a share; `None` of nothing."""
    return part / whole if whole else None


def nothing_in(name: str) -> str:
    """Returns the message for a column without values to learn from."""
    return explain(
        f"at least one value in column {name!r}",
        "only missing ones",
        "leave the field out, or pass the values that it would learn as arguments",
    )
