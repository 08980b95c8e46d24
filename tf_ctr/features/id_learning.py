"""What categorical fields learn: which ids there are, and how often."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tf_ctr.errors import explain
from tf_ctr.features.arrow import ARROW_TYPE, as_ids, flat_lists
from tf_ctr.features.columns import column
from tf_ctr.features.field import Id, IdType
from tf_ctr.features.id_counts import IdCounts
from tf_ctr.features.learning import (
    LONGEST,
    FieldStatistics,
    Learner,
    nothing_in,
    share,
)

if TYPE_CHECKING:
    from tf_ctr.features.categorical import Categorical

# Ids that are counted together: few enough for the cache.
GATHERED = 1 << 18

# Counted ids that are kept apart before they are joined to the others.
MOST_APART = 1 << 20

# Where most ids of a block are distinct, counting them by the block saves nothing. That
# is tried again once in so many blocks.
TRIED = 16


@dataclasses.dataclass(frozen=True)
class IdStatistics(FieldStatistics):
    """The ids of a categorical field, and how often each occurs.

    Attributes:
        dtype: That of the ids; `None` if there was none.
        padding: The value that stood for a missing id; `None` without a dtype.
        multivalent: Whether rows had lists of ids.
        counted: Whether ids were counted, as those of a hashed field are not.
        values: The number of values, also missing ones.
        present: The number of values that are ids.
        longest: The length of the longest list.
        counts: The ids.
    """

    dtype: IdType | None
    padding: Id | None
    multivalent: bool
    counted: bool
    values: int
    present: int
    longest: int
    counts: IdCounts

    @property
    def kind(self) -> dict[str, Any]:
        """What the ids are; see `FieldStatistics.kind`."""
        return {
            "values": "ids" if self.counted else "hashed ids",
            "dtype": self.dtype,
            "padding": self.padding,
            "multivalent": self.multivalent,
        }

    def merged(self, others: "Sequence[IdStatistics]") -> "IdStatistics":
        """Returns the statistics of all rows; see `FieldStatistics.merged`."""
        parts = (self, *others)
        typed = [part for part in parts if part.dtype is not None] or [self]
        return dataclasses.replace(
            typed[0],
            values=sum(part.values for part in parts),
            present=sum(part.present for part in parts),
            longest=max(part.longest for part in parts),
            counts=IdCounts.joined([part.counts for part in typed]),
        )

    def complete(
        self, field: "Categorical", grow: bool = False
    ) -> tuple["Categorical", float | None]:
        """Returns the completed field; see `FieldStatistics.complete`."""
        changes: dict[str, Any] = {}
        if field.dtype is None:
            if self.dtype is None:
                raise ValueError(nothing_in(field.column))
            changes["dtype"] = self.dtype
        known = self.present
        if field.has_vocabulary:
            known, changes["vocabulary"] = self._vocabulary(field, grow)
        if field.multivalent and field.max_length is None:
            changes["max_length"] = int(np.clip(self.longest, 1, LONGEST))
        changes = {k: v for k, v in changes.items() if v is not getattr(field, k)}
        # Once, because every copy checks its vocabulary.
        field = dataclasses.replace(field, **changes) if changes else field
        return field, share(known, self.values)

    def _vocabulary(self, field, grow):
        """The number of values in the vocabulary, and the vocabulary."""
        frequent = self.counts.counts >= field.min_count
        if field.vocabulary is None:
            if not frequent.any():
                self._refuse(field)
            kept = self.counts.where(frequent)
            return int(kept.counts.sum()), kept.most_frequent_first()
        if self.dtype is None:
            return 0, field.vocabulary
        given = pa.array(field.vocabulary, ARROW_TYPE[self.dtype])
        known = self.counts.known(given)
        new = frequent & ~known
        if not grow or not new.any():
            return int(self.counts.counts[known].sum()), field.vocabulary
        total = int(self.counts.counts[known | new].sum())
        added = self.counts.where(new).most_frequent_first()
        return total, (*field.vocabulary, *added)

    def _refuse(self, field):
        if not len(self.counts):
            raise ValueError(nothing_in(field.column))
        raise ValueError(
            explain(
                f"an id seen at least min_count={field.min_count} times in column "
                f"{field.column!r}",
                f"{self.counts.counts.max()} times at most",
                "lower min_count",
            )
        )

    def without_idle(self, since: int) -> "IdStatistics":
        """Returns a copy without the ids that were last seen before a period."""
        recent = self.counts.last >= since
        return dataclasses.replace(self, counts=self.counts.where(recent))

    def state(self) -> dict[str, Any]:
        """Returns all but the counts; see `FieldStatistics.state`."""
        fields = (field.name for field in dataclasses.fields(self))
        return {name: getattr(self, name) for name in fields if name != "counts"}

    def table(self) -> pa.Table:
        """Returns the counts; see `FieldStatistics.table`."""
        counts = self.counts
        columns = {"id": counts.ids, "count": counts.counts, "last": counts.last}
        return pa.table(columns)

    @classmethod
    def restored(cls, state: Mapping[str, Any], table: pa.Table) -> "IdStatistics":
        """Returns the statistics of a `state` and a `table`."""
        ids = table["id"].combine_chunks()
        counts, last = (table[name].to_numpy() for name in ("count", "last"))
        return cls(**state, counts=IdCounts(ids, counts, last))


class IdLearner(Learner):
    """Counts the ids of a categorical field.

    Args:
        field: The field.
    """

    def __init__(self, field: "Categorical"):
        # Without its vocabulary, which every copy would check.
        self._field = field.unfitted() if field.has_vocabulary else field
        self._dtype, self._padding = field.dtype, field.padding
        self._values = self._present = self._longest = 0
        self._gathered: list[pa.Array] = []
        # The counts that are joined, then those apart from them.
        self._counts: list[IdCounts] = []
        self._blocks, self._repeats = 0, True

    def update(self, frame: pd.DataFrame) -> None:
        """Counts the ids of one more frame."""
        name = self._field.column
        array = column(frame, name)
        if self._field.multivalent:
            array, rows = flat_lists(array, name)
            self._longest = max(self._longest, np.bincount(rows, minlength=1).max())
        ids = as_ids(array, name, self._dtype)
        self._values += len(ids)
        if pa.types.is_null(ids.type):
            return
        if self._dtype is None:
            self._dtype = "int64" if pa.types.is_integer(ids.type) else "string"
            self._padding = dataclasses.replace(self._field, dtype=self._dtype).padding
        ids = ids.filter(pc.not_equal(ids, pa.scalar(self._padding, ids.type)))
        self._present += len(ids)
        if self._field.has_vocabulary:
            self._gathered.append(ids)
            if sum(map(len, self._gathered)) >= GATHERED:
                self._settle()

    def statistics(self, period: int) -> IdStatistics:
        """Returns the counts of all frames."""
        self._settle()
        counts = IdCounts.joined(self._counts or [_no_ids(self._dtype)])
        self._counts = [counts]
        last = np.broadcast_to(np.int64(period), len(counts))
        return IdStatistics(
            dtype=self._dtype,
            padding=self._padding,
            multivalent=self._field.multivalent,
            counted=self._field.has_vocabulary,
            values=self._values,
            present=self._present,
            longest=int(self._longest),
            counts=dataclasses.replace(counts, last=last),
        )

    def _settle(self):
        """Counts the gathered ids; joins the counts when they are many.

        Not before twice as many are apart as are joined: so the joined ones are read
        again half as often as new ones come.
        """
        if self._gathered:
            blocks = [IdCounts.once(ids, 0) for ids in self._gathered]
            if self._repeats or self._blocks % TRIED == 0:
                size = sum(map(len, blocks))
                blocks = [IdCounts.joined(blocks)]
                self._repeats = 2 * len(blocks[0]) <= size
            self._counts += blocks
            self._gathered, self._blocks = [], self._blocks + 1
        apart = sum(map(len, self._counts[1:]))
        if self._counts and apart > max(MOST_APART, 2 * len(self._counts[0])):
            self._counts = [IdCounts.joined(self._counts)]


def _no_ids(dtype):
    none = pa.nulls(0, ARROW_TYPE[dtype] if dtype else pa.null())
    return IdCounts(none, np.zeros(0, np.int64), np.zeros(0, np.int64))
