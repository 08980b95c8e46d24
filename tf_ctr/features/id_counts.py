"""Counts of distinct ids, which merge."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclasses.dataclass(frozen=True)
class IdCounts:
    """How often each id occurs, and in which period last.

    Attributes:
        ids: The distinct ids, in any order, strings or integers `[n]`.
        counts: How often each occurs, int64 `[n]`.
        last: The number of the last period with the id, int64 `[n]`.
    """

    ids: pa.Array
    counts: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, ids: Sequence[pa.Array], period: int) -> "IdCounts":
        """Counts the ids of arrays of one type, all of one period."""
        distinct, codes = _coded(ids)
        counts = np.bincount(codes, minlength=len(distinct))
        return cls(distinct, counts, np.full(len(distinct), period))

    @classmethod
    def joined(cls, parts: "Sequence[IdCounts]") -> "IdCounts":
        """Returns the counts of all parts together; their ids are of one type."""
        if len(parts) == 1:
            return parts[0]
        distinct, codes = _coded([part.ids for part in parts])
        # Sums of float64 are exact below 2**53.
        counts = np.bincount(codes, np.concatenate([part.counts for part in parts]))
        lasts = np.concatenate([part.last for part in parts])
        last = np.full(len(distinct), lasts.min(initial=0))
        if len(lasts) and (lasts != lasts[0]).any():
            np.maximum.at(last, codes, lasts)
        elif len(lasts):
            last[:] = lasts[0]
        return cls(distinct, counts.astype(np.int64), last)

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, mask: np.ndarray) -> "IdCounts":
        """Returns the counts of the chosen ids, in their order."""
        return IdCounts(self.ids.filter(mask), self.counts[mask], self.last[mask])

    def known(self, ids: pa.Array) -> np.ndarray:
        """Returns which of these ids are among others, bool `[n]`."""
        return pc.is_in(self.ids, value_set=ids).to_numpy(zero_copy_only=False)

    def most_frequent_first(self) -> list[str | int]:
        """Returns the ids, most frequent first, and equal counts by value."""
        by_value = pc.sort_indices(self.ids).to_numpy()
        order = by_value[np.argsort(-self.counts[by_value], kind="stable")]
        # By way of NumPy, which makes a list ten times faster than Arrow.
        return self.ids.take(pa.array(order)).to_numpy(zero_copy_only=False).tolist()


def _coded(arrays: Sequence[pa.Array]) -> tuple[pa.Array, np.ndarray]:
    """Returns the distinct values of arrays, and the place of each value in them."""
    encoded = pa.chunked_array(arrays).dictionary_encode()
    # All chunks share one dictionary; none is left of arrays without values.
    if not encoded.num_chunks:
        return arrays[0], np.zeros(0, np.int64)
    codes = [np.asarray(chunk.indices) for chunk in encoded.chunks]
    return encoded.chunk(encoded.num_chunks - 1).dictionary, np.concatenate(codes)
