"""What `Schema.fit` learns of each field, in one pass over the frames."""

import collections
import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tf_ctr.errors import explain
from tf_ctr.features.arrow import as_floats, as_ids, flat_lists, to_float32
from tf_ctr.features.categorical import Categorical
from tf_ctr.features.columns import check_rows, chunks, column
from tf_ctr.features.numeric import Numeric
from tf_ctr.features.sketches import Moments, Quantiles

# Of what `max_length` may become when it is learned.
LONGEST = 128
# Of the range of a column that may be lost in float32: below what a model can use.
LOST_SHARE = 1e-3


def learn(fields, data):
    """Returns the completed fields, and per field the share of values with a row."""
    return run([learner(field) for field in fields], data)


def run(learners, data):
    """Shows all frames to the learners, and returns what `learn` does."""
    rows = 0
    for frame in chunks(data):
        rows += len(frame)
        for each in learners:
            each.update(frame)
    check_rows(rows)
    completed, shares = zip(*(each.learned() for each in learners), strict=True)
    names = [field.name for field in completed]
    return completed, dict(zip(names, shares, strict=True))


def learner(field):
    """Returns what learns, of a column, what `field` leaves open."""
    if isinstance(field, Categorical):
        return IdLearner(field)
    if isinstance(field, Numeric):
        return NumberLearner(field)
    return SequenceLearner(field)


class IdLearner:
    """Counts the ids of a categorical field."""

    def __init__(self, field):
        self.field = field
        self._counts = collections.Counter()
        self._values = self._present = self._longest = 0

    def update(self, frame):
        """Counts the ids of one more frame."""
        array, name = column(frame, self.field.name), self.field.name
        if self.field.multivalent:
            array, rows = flat_lists(array, name)
            self._longest = max(self._longest, np.bincount(rows, minlength=1).max())
        ids = as_ids(array, name, self.field.dtype)
        self._values += len(ids)
        if not pa.types.is_null(ids.type):
            self._count(ids)

    def _count(self, ids):
        if self.field.dtype is None:
            dtype = "int64" if pa.types.is_integer(ids.type) else "string"
            self.field = dataclasses.replace(self.field, dtype=dtype)
        ids = ids.filter(pc.not_equal(ids, pa.scalar(self.field.padding, ids.type)))
        self._present += len(ids)
        if self.field.num_buckets is None:
            values, counts = pc.value_counts(ids).flatten()
            pairs = zip(values.to_pylist(), counts.to_pylist(), strict=True)
            self._counts.update(dict(pairs))

    def learned(self):
        """Returns the completed field and the share of values with an own row."""
        field, known = self.field, self._present
        if field.num_buckets is None and field.vocabulary is None:
            field = dataclasses.replace(field, vocabulary=self._vocabulary())
        if field.num_buckets is None:
            known = sum(self._counts[value] for value in field.vocabulary)
        if field.dtype is None:
            raise ValueError(_nothing_in(field.name))
        if field.multivalent and field.max_length is None:
            longest = int(np.clip(self._longest, 1, LONGEST))
            field = dataclasses.replace(field, max_length=longest)
        return field, _share(known, self._values)

    def frequent(self):
        """Returns the ids seen often enough, most frequent first."""
        least = self.field.min_count
        kept = [item for item in self._counts.items() if item[1] >= least]
        kept.sort(key=lambda item: (-item[1], item[0]))
        return [value for value, _ in kept]

    def _vocabulary(self):
        if not self._counts:
            raise ValueError(_nothing_in(self.field.name))
        vocabulary = self.frequent()
        if not vocabulary:
            least = self.field.min_count
            raise ValueError(
                explain(
                    f"an id seen at least min_count={least} times in column "
                    f"{self.field.name!r}",
                    f"{max(self._counts.values())} times at most",
                    "lower min_count",
                )
            )
        return vocabulary


class NumberLearner:
    """Sketches the finite numbers of a numeric field."""

    def __init__(self, field):
        self.field = field
        quantile = field.transform == "quantile"
        self._sketch = Quantiles(field.num_bins or 2) if quantile else Moments()
        self._rows = self._present = 0
        self._low, self._high, self._lost = np.inf, -np.inf, 0.0

    def update(self, frame):
        """Takes in the numbers of one more frame, as the encoder will get them."""
        exact = as_floats(column(frame, self.field.name), self.field.name)
        values = to_float32(exact).astype(np.float64)
        finite = np.isfinite(values)
        exact, values = exact[finite], values[finite]
        self._rows += len(frame)
        self._present += len(values)
        if len(values):
            self._sketch.add(values)
            self._low = min(self._low, exact.min())
            self._high = max(self._high, exact.max())
            self._lost = max(self._lost, np.abs(values - exact).max())

    def learned(self):
        """Returns the completed field and the share of rows with a number."""
        field, share = self.field, _share(self._present, self._rows)
        if field.fitted:
            return field, share
        if not self._present:
            raise ValueError(_nothing_in(field.name))
        self._check_lost()
        return self._sketch.complete(field), share

    def _check_lost(self):
        # A constant has no differences to lose.
        if 0 < LOST_SHARE * (self._high - self._low) < self._lost:
            raise ValueError(
                explain(
                    f"column {self.field.name!r} to keep its differences in float32",
                    f"values of {self._low} to {self._high}, rounded by {self._lost}",
                    "subtract a reference first, e.g. make days since a date of them",
                )
            )


class SequenceLearner:
    """Learns nothing: a sequence takes all from the field it is `of`."""

    def __init__(self, field):
        self.field = field

    def update(self, frame):
        """Checks that the column is there and holds lists."""
        flat_lists(column(frame, self.field.name), self.field.name)

    def learned(self):
        """Returns the field as it came; its share is not counted."""
        return self.field, None


def _share(part, whole):
    return part / whole if whole else None


def _nothing_in(name):
    return explain(
        f"at least one value in column {name!r}",
        "only missing ones",
        "leave the field out, or give what it would learn in its arguments",
    )
