"""Learners of the fields, for `Schema.fit` and `Schema.extend`: one pass over the data.

A field makes its `Learner`, which reads every frame and returns the completed field.
"""

import abc
import collections
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tf_ctr.errors import explain
from tf_ctr.features.arrow import as_floats, as_ids, flat_lists, to_float32
from tf_ctr.features.columns import check_rows, column
from tf_ctr.features.field import Field, IdType
from tf_ctr.features.reading import frames_of, rows_of
from tf_ctr.features.sketches import Moments, Quantiles
from tf_ctr.rows import Source
from tf_ctr.rows.parts import located

if TYPE_CHECKING:
    from tf_ctr.features.categorical import Categorical
    from tf_ctr.features.numeric import Numeric

# A learned `max_length` is at most this.
LONGEST = 128

# The share of a column's range that float32 may round away; a model cannot use
# smaller differences.
LOST_SHARE = 1e-3

# Numbers that are added to a sketch together. Gathered from all frames, so that the
# result does not depend on how the rows are cut, and large, because Keras's sketch of
# quantiles is biased by many small additions.
GATHERED = 1 << 18


class Learner(abc.ABC):
    """Learns from a column everything that its field leaves open."""

    @abc.abstractmethod
    def update(self, frame: pd.DataFrame) -> None:
        """Reads the column of one more frame.

        Raises:
            ValueError: If the frame lacks the column.
            TypeError: If the values do not fit the field.
        """

    @abc.abstractmethod
    def learned(self) -> tuple[Field, float | None]:
        """Returns the completed field, and the share of values with a row of their own.

        The share is `None` if values are not counted, or if there were none.

        Raises:
            ValueError: If the field has nothing to learn from.
        """


def learn(
    learners: Sequence[Learner],
    fields: Sequence[Field],
    data: Source,
    verbose: int = 0,
) -> tuple[list[Field], dict[str, float | None]]:
    """Runs the learners over all frames.

    Args:
        learners: One per field.
        fields: The fields.
        data: Rows of any kind; see `tf_ctr.data.rows`.
        verbose: 1 for a progress bar.

    Returns:
        The completed fields, and by field the share of values with a row of their own.
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
    learned = [learner.learned() for learner in learners]
    return [field for field, _ in learned], {f.name: share for f, share in learned}


class IdLearner(Learner):
    """Counts the ids of a categorical field.

    Args:
        field: The field.
        grow: Whether to append new ids to a known vocabulary. A new id must be seen
            `min_count` times; a known id stays, whatever its count.
    """

    def __init__(self, field: "Categorical", grow: bool = False):
        self.field = field
        self._learns_ids = field.learns_ids or (grow and field.has_vocabulary)
        self._counts: collections.Counter = collections.Counter()
        self._values = self._present = self._longest = 0

    def update(self, frame: pd.DataFrame) -> None:
        """Counts the ids of one more frame."""
        array, name = column(frame, self.field.column), self.field.column
        if self.field.multivalent:
            array, rows = flat_lists(array, name)
            self._longest = max(self._longest, np.bincount(rows, minlength=1).max())
        ids = as_ids(array, name, self.field.dtype)
        self._values += len(ids)
        if pa.types.is_null(ids.type):
            return
        if self.field.dtype is None:
            dtype: IdType = "int64" if pa.types.is_integer(ids.type) else "string"
            self.field = dataclasses.replace(self.field, dtype=dtype)
        ids = ids.filter(pc.not_equal(ids, pa.scalar(self.field.padding, ids.type)))
        self._present += len(ids)
        if self.field.has_vocabulary:
            values, counts = pc.value_counts(ids).flatten()
            pairs = zip(values.to_pylist(), counts.to_pylist(), strict=True)
            self._counts.update(dict(pairs))

    def learned(self) -> tuple["Categorical", float | None]:
        """Returns the completed field, and the share of values in its vocabulary."""
        field, known = self.field, self._present
        if self._learns_ids:
            field = field.with_ids(self._frequent())
        if field.has_vocabulary:
            known = sum(self._counts[value] for value in field.vocabulary or ())
        if field.dtype is None:
            raise ValueError(_nothing_in(field.column))
        if field.multivalent and field.max_length is None:
            longest = int(np.clip(self._longest, 1, LONGEST))
            field = dataclasses.replace(field, max_length=longest)
        return field, _share(known, self._values)

    def _frequent(self):
        """Returns the ids seen often enough, most frequent first, ties by value."""
        least, known = self.field.min_count, self.field.vocabulary
        kept = [pair for pair in self._counts.items() if pair[1] >= least]
        if not (kept or known):
            if not self._counts:
                raise ValueError(_nothing_in(self.field.column))
            raise ValueError(
                explain(
                    f"an id seen at least min_count={least} times in column "
                    f"{self.field.column!r}",
                    f"{max(self._counts.values())} times at most",
                    "lower min_count",
                )
            )
        kept.sort(key=lambda pair: (-pair[1], pair[0]))
        return [value for value, _ in kept]


class NumberLearner(Learner):
    """Learns the moments or the bins of a numeric field from its finite numbers.

    Args:
        field: The field.
    """

    def __init__(self, field: "Numeric"):
        self.field = field
        self._sketch: Moments | Quantiles | None = None
        if not field.fitted:
            self._sketch = Quantiles(field.num_bins) if field.num_bins else Moments()
        self._rows = self._present = 0
        self._gathered: list[np.ndarray] = []
        self._low, self._high, self._lost = np.inf, -np.inf, 0.0

    def update(self, frame: pd.DataFrame) -> None:
        """Reads the numbers of one more frame, rounded as the encoder gets them."""
        exact = as_floats(column(frame, self.field.column), self.field.column)
        values = to_float32(exact).astype(np.float64)
        finite = np.isfinite(values)
        exact, values = exact[finite], values[finite]
        self._rows += len(frame)
        self._present += len(values)
        if len(values):
            self._low = min(self._low, exact.min())
            self._high = max(self._high, exact.max())
        if self._sketch is not None and len(values):
            self._gather(self.field.transformed(values))
            self._lost = max(self._lost, np.abs(values - exact).max())

    def learned(self) -> tuple["Numeric", float | None]:
        """Returns the completed field, and the share of rows with a number."""
        field, share = self.field, _share(self._present, self._rows)
        if self._present:
            extent = float(self._low), float(self._high)
            field = dataclasses.replace(field, extent=extent)
        if self._sketch is None:
            return field, share
        if not self._present:
            raise ValueError(_nothing_in(field.column))
        self._gather(np.zeros(0), last=True)
        # A constant has no differences to lose.
        if 0 < LOST_SHARE * (self._high - self._low) < self._lost:
            raise ValueError(
                explain(
                    f"column {self.field.column!r} to keep its differences in float32",
                    f"values of {self._low} to {self._high}, rounded by {self._lost}",
                    "subtract a reference first, e.g. count days since a date",
                )
            )
        return self._sketch.complete(field), share

    def _gather(self, values: np.ndarray, last: bool = False) -> None:
        """Adds numbers to the sketch, `GATHERED` at a time."""
        self._gathered.append(values)
        if (
            self._sketch is None
            or not last
            and sum(map(len, self._gathered)) < GATHERED
        ):
            return
        whole = np.concatenate(self._gathered)
        end = len(whole) if last else len(whole) // GATHERED * GATHERED
        for start in range(0, end, GATHERED):
            self._sketch.add(whole[start : min(start + GATHERED, end)])
        self._gathered = [whole[end:]]


def _share(part, whole):
    return part / whole if whole else None


def _nothing_in(name):
    return explain(
        f"at least one value in column {name!r}",
        "only missing ones",
        "leave the field out, or pass the values that it would learn as arguments",
    )
