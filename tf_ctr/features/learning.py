"""What `Schema.fit` learns of each field, in one pass over the frames."""

import collections
import dataclasses

import keras
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.preprocessing import StandardScaler

from tf_ctr.errors import explain
from tf_ctr.features.categorical import Categorical
from tf_ctr.features.columns import (
    as_floats,
    as_ids,
    check_rows,
    chunks,
    column,
    flat_lists,
    to_float32,
)
from tf_ctr.features.numeric import Numeric

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


def extend(fields, specs, data):
    """Returns the fields with the new ids of `data` appended, and their coverage.

    Args:
        fields: The fitted fields.
        specs: The fields before they were fitted: what they give is not extended.
        data: A pandas frame, or an iterable of frames.

    Returns:
        The fields, and per field the share of the values in `data` with a row.
    """
    pairs = zip(fields, specs, strict=True)
    return run([_learner(field, spec) for field, spec in pairs], data)


def union(fields, specs, others):
    """Returns the fields with the ids of other fields appended.

    Args:
        fields: The fitted fields.
        specs: The fields before they were fitted: what they give stays.
        others: Fitted fields; those of the same name give their ids.
    """
    by_name = {field.name: field for field in others}
    pairs = zip(fields, specs, strict=True)
    return [_joined(field, spec, by_name.get(field.name)) for field, spec in pairs]


def _joined(field, spec, other):
    theirs = getattr(other, "vocabulary", None)
    if theirs is None or not _learns_ids(field, spec):
        return field
    vocabulary = tuple(dict.fromkeys((*field.vocabulary, *theirs)))
    return dataclasses.replace(field, vocabulary=vocabulary)


def _learner(field, spec):
    return NewIdLearner(field) if _learns_ids(field, spec) else learner(field)


def _learns_ids(field, spec):
    learned = isinstance(spec, Categorical) and spec.vocabulary is None
    return learned and field.vocabulary is not None


class NewIdLearner(IdLearner):
    """Counts the ids of a fitted field, and appends the new ones to its vocabulary."""

    def learned(self):
        """Returns the extended field and the share of values with an own row."""
        known = set(self.field.vocabulary)
        new = [value for value in self.frequent() if value not in known]
        vocabulary = (*self.field.vocabulary, *new)
        self.field = dataclasses.replace(self.field, vocabulary=vocabulary)
        return super().learned()


class Moments:
    """Mean and standard deviation of a stream."""

    def __init__(self):
        # Merges chunks without cancellation, and takes 1 for a zero deviation.
        self._scaler = StandardScaler()

    def add(self, values: np.ndarray):
        """Takes in some more numbers, float64 `[n]`."""
        self._scaler.partial_fit(values[:, np.newaxis])

    def complete(self, field):
        """Returns a copy of `field` with the moments that it leaves open."""
        mean, std = self._scaler.mean_[0].item(), self._scaler.scale_[0].item()
        mean = mean if field.mean is None else field.mean
        std = std if field.std is None else field.std
        return dataclasses.replace(field, mean=mean, std=std)


class Quantiles:
    """Approximate quantiles of a stream.

    Args:
        num_bins: The number of bins wanted; ranks are kept ten times finer.
    """

    def __init__(self, num_bins: int):
        self._sketch = keras.layers.Discretization(
            num_bins=num_bins, epsilon=0.1 / num_bins
        )

    def add(self, values: np.ndarray):
        """Takes in some more numbers."""
        self._sketch.update_state(values)

    def complete(self, field):
        """Returns a copy of `field` with the boundaries, equal ones once."""
        self._sketch.finalize_state()
        cuts = np.unique(self._sketch.bin_boundaries).tolist()
        return dataclasses.replace(field, boundaries=cuts)
