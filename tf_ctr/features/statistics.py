"""Statistics of rows, from which a schema learns: merged, remembered, saved."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tf_ctr.errors import check_count, check_name, explain
from tf_ctr.features import statistics_file
from tf_ctr.features.field import Field
from tf_ctr.features.id_learning import IdStatistics
from tf_ctr.features.learning import (
    FieldStatistics,
    Presence,
    check_kind,
    read_all,
)
from tf_ctr.features.number_learning import NumberStatistics
from tf_ctr.features.sharing import Lengths
from tf_ctr.rows import Source

CLASSES: dict[str, type[FieldStatistics]] = {
    "ids": IdStatistics,
    "numbers": NumberStatistics,
    "presence": Presence,
    "lengths": Lengths,
}


class Statistics:
    """What rows say about the fields of a schema: the counts of ids, sums, quantiles.

    `Schema.collect` makes it. Statistics of parts merge to those of the whole, however
    the rows were cut and in whatever order they are merged: `Schema.fit` then learns
    the same, to the bit. So a lake is read by many machines, and a day is added to the
    days before, whose counts survive.

    Memory holds each distinct id of a column once, with its count.

    Args:
        fields: By the name of a field, what the rows say about it.
        rows: The number of rows.
        first: The number of the first period of which all ids are remembered.
        last: The number of the last period.

    Example:

    >>> import pandas
    >>> from tf_ctr.features import Categorical, Schema
    >>> schema = Schema([Categorical("item", min_count=2)])
    >>> days = [pandas.DataFrame({"item": items}) for items in ([7, 9], [9, 5])]
    >>> one, two = (schema.collect(day, period=n) for n, day in enumerate(days))
    >>> one.merge(two)
    Statistics(rows=4, periods 0 to 1, ids={'item': 3})
    >>> schema.fit(one.merge(two)).field("item").vocabulary
    (9,)
    """

    def __init__(
        self, fields: Mapping[str, FieldStatistics], rows: int, first: int, last: int
    ):
        self._fields = dict(fields)
        # Not those of NumPy, which no file of JSON holds.
        self.rows, self.first, self.last = int(rows), int(first), int(last)

    def __repr__(self) -> str:
        ids = {name: len(each.counts) for name, each in self._counted().items()}
        return (
            f"Statistics(rows={self.rows}, periods {self.first} to {self.last}, "
            f"ids={ids})"
        )

    def merge(self, *others: "Statistics") -> "Statistics":
        """Returns the statistics of all rows: of these, and of others.

        Counts add up, and each id keeps the last period in which it was seen. Merging
        many at once copies the ids once.

        Args:
            others: Statistics of other rows, by schemas with the same fields.

        Returns:
            New statistics; these do not change.

        Raises:
            ValueError: If the fields differ, or ids are strings in one and integers in
                another.
            TypeError: For anything but statistics.
        """
        for other in others:
            self._check_alike(other)
        parts = (self, *others)
        return Statistics(
            {
                name: each.merged([other._fields[name] for other in others])
                for name, each in self._fields.items()
            },
            rows=sum(part.rows for part in parts),
            first=min(part.first for part in parts),
            last=max(part.last for part in parts),
        )

    def forget(self, idle_periods: int) -> "Statistics":
        """Returns statistics without the ids that were not seen for some periods.

        So that a memory of many periods does not grow for ever. Means, quantiles and
        the numbers of rows and values still count all periods.

        Args:
            idle_periods: Ids stay if they were seen in the last so many periods.

        Raises:
            ValueError: If it is no count of at least 1.
        """
        check_count("idle_periods", idle_periods, least=1)
        since = self.last - idle_periods + 1
        fields = {k: each.without_idle(since) for k, each in self._fields.items()}
        return Statistics(fields, self.rows, max(self.first, since), self.last)

    def counts(self, field: str) -> pa.Table:
        """Returns the ids of a field, how often each was seen, and when last.

        Args:
            field: The name of a categorical field.

        Returns:
            A table of `id`, `count` and `last`, in no special order.

        Raises:
            ValueError: If there is no such field, or its ids are hashed.
        """
        counted = self._counted()
        check_name("field with counted ids", field, counted)
        return counted[field].table()

    def save(self, path: str | os.PathLike) -> None:
        """Writes the statistics as one Parquet file, replaced in one step.

        Any reader of Parquet shows the counts: a row per id, with its `field`, the id
        as `text` or `number`, its `count`, and the `last` period with it.

        Raises:
            ValueError: If `path` is a folder.
        """
        kinds = {kind: name for name, kind in CLASSES.items()}
        header = {
            "rows": self.rows,
            "first": self.first,
            "last": self.last,
            "fields": {
                name: {"class": kinds[type(each)], **each.state()}
                for name, each in self._fields.items()
            },
        }
        tables = {name: each.table() for name, each in self._fields.items()}
        statistics_file.write(path, header, tables)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Statistics":
        """Returns the statistics that `save` wrote.

        Raises:
            tf_ctr.files.DamagedError: If the file is missing, is of another kind or
                version, or is not as it was written. It is a `ValueError`.
        """
        header, tables = statistics_file.read(path)
        fields = {}
        for name, state in header["fields"].items():
            kind = CLASSES[state.pop("class")]
            fields[name] = kind.restored(state, tables[name])
        return cls(fields, header["rows"], header["first"], header["last"])

    def complete(
        self, fields: Iterable[Field], grow: Sequence[bool]
    ) -> tuple[list[Field], dict[str, float | None]]:
        """Returns fields with what they leave open; `Schema.fit` and `extend` call it.

        Args:
            fields: The fields.
            grow: Whether each field appends new ids to a known vocabulary.

        Returns:
            The completed fields, and by field the share of values with a row of their
            own.

        Raises:
            ValueError: If a field has nothing to learn from, or was not collected.
        """
        completed, coverage = [], {}
        for field, grows in zip(fields, grow, strict=True):
            found, covered = self._of(field), None
            if found is not None:
                field, covered = found.complete(field, grows)
            completed.append(field)
            coverage[field.name] = covered
        return completed, coverage

    def pruned(self, field: Field, idle_periods: int) -> Field:
        """Returns a field without the ids that were not seen for some periods.

        Args:
            field: A field with a vocabulary.
            idle_periods: The number of periods up to the last one. If the statistics do
                not go that far back, no id is dropped.

        Raises:
            ValueError: If no id would stay, or the field was not collected.
        """
        found = self._of(field)
        check_count("idle_periods", idle_periods, least=1)
        since = self.last - idle_periods + 1
        if found is None or self.first > since:
            return field
        # By way of NumPy, which makes a list ten times faster than Arrow.
        seen = found.without_idle(since).table()["id"].to_numpy().tolist()
        idle = set(field.vocabulary or ()).difference(seen)
        return field.without_ids(idle) if idle else field

    def _of(self, field: Field) -> FieldStatistics | None:
        """The statistics of a field; `None` for one that learns nothing."""
        wanted = field.learner().statistics(self.last)
        if wanted is None:
            return None
        check_name("collected field", field.name, self._fields)
        found = self._fields[field.name]
        check_kind(field.name, found, wanted)
        return found

    def _counted(self) -> dict[str, IdStatistics]:
        return {
            name: each
            for name, each in self._fields.items()
            if isinstance(each, IdStatistics) and each.counted
        }

    def _check_alike(self, other):
        check_statistics(other)
        if list(self._fields) != list(other._fields):
            raise ValueError(
                explain(
                    f"statistics of the same fields, {list(self._fields)}",
                    str(list(other._fields)),
                    "collect all parts by one schema",
                )
            )
        for name, each in self._fields.items():
            check_kind(name, other._fields[name], each)


def check_statistics(value: Any) -> None:
    """Raises `TypeError` unless `value` is statistics."""
    if not isinstance(value, Statistics):
        raise TypeError(
            explain(
                "statistics",
                type(value).__name__,
                "collect them from the rows: schema.collect(rows)",
            )
        )


def collected(
    fields: Sequence[Field],
    data: Source | Statistics,
    period: int = 0,
    verbose: int = 0,
) -> Statistics:
    """Returns the statistics of rows for fields; statistics as they are.

    Args:
        fields: The fields.
        data: As for `Schema.fit`.
        period: As for `Schema.collect`.
        verbose: As for `Schema.collect`.

    Raises:
        ValueError: As `Schema.collect`.
        TypeError: As `Schema.collect`.
    """
    if isinstance(data, Statistics):
        return data
    check_count("period", period, least=0)
    learners = [field.learner() for field in fields]
    rows = read_all(learners, fields, data, verbose)
    found = {
        field.name: learner.statistics(int(period))
        for field, learner in zip(fields, learners, strict=True)
    }
    learned = {name: each for name, each in found.items() if each is not None}
    return Statistics(learned, rows, first=period, last=period)
