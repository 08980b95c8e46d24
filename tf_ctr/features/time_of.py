"""A field with a part of a timestamp: the hour, the weekday, or both."""

import dataclasses
import math
import numbers
from collections.abc import Hashable
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import tensorflow as tf

from tf_ctr.errors import check_choice, explain
from tf_ctr.features.arrow import as_ids
from tf_ctr.features.columns import column
from tf_ctr.features.field import MISSING, Field
from tf_ctr.features.learning import Learner, Presence

# The parts, and how many values each has.
PARTS = {"hour": 24, "weekday": 7, "hour_of_week": 168}

# No timestamp: an integer that no calendar reaches.
PADDING = -(2**63)

# The year 5138. A larger number counts milliseconds.
LARGEST = 100_000_000_000
DAY = 86_400
# 1970 began on a Thursday.
FIRST_WEEKDAY = 3


@dataclasses.dataclass(frozen=True)
class TimeOf(Field):
    """A field with a part of a timestamp, each value of which has an embedding row.

    Clicks follow the hour and the weekday, which no number of seconds shows. A cell is
    a timestamp or a date of pandas or Arrow, or a whole number: seconds since 1970 in
    UTC. In CSV files, timestamps need `tf_ctr.data.rows(path, types={"time":
    pyarrow.timestamp("s")})`.
    A timestamp without a time zone is UTC. A request has seconds, or with a schema what
    a cell may hold.

    Several fields may read one column: `TimeOf("hour", column="time")` and
    `TimeOf("weekday", "weekday", column="time")`.

    Args:
        name: The name of the field and of the Keras input.
        part: `"hour"` (0 to 23), `"weekday"` (0 for Monday to 6), or `"hour_of_week"`
            (0 to 167).
        utc_offset: Hours from UTC to the local time of the users, e.g. 5.5 for India.
        column: The column of the rows; `None` takes `name`.

    Raises:
        ValueError: For a wrong argument.

    Example:

    >>> import pandas as pd
    >>> from tf_ctr.features import Schema, TimeOf
    >>> schema = Schema([TimeOf("hour", column="time")])
    >>> frame = pd.DataFrame({"time": pd.to_datetime(["2024-02-29 17:05", None])})
    >>> schema.encode(schema.raw_columns(frame))["hour"].numpy()  # Row 0 is missing.
    array([18,  0])
    """

    part: Literal["hour", "weekday", "hour_of_week"] = "hour"
    utc_offset: float = 0.0

    # Without annotations, so that the dataclass does not make arguments of them.
    dtype = "int64"
    padding = PADDING
    multivalent = False
    max_length = None
    pooling = None
    fitted = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("part", self.part, tuple(PARTS))
        offset = self.utc_offset
        if not (isinstance(offset, numbers.Real) and math.fabs(offset) <= 14):
            raise ValueError(
                explain(
                    f"`utc_offset` of field {self.name!r} in hours, -14 to 14",
                    repr(offset),
                    "pass utc_offset=1 for Central Europe in winter, for example",
                )
            )
        self._set("utc_offset", float(offset))

    @property
    def table(self) -> str:
        """The field that owns the embedding table: this one."""
        return self.name

    @property
    def table_size(self) -> int:
        """Rows of the embedding table: missing, then the values of the part."""
        return 1 + PARTS[self.part]

    @property
    def layout(self) -> Hashable:
        """The part, which determines the rows of the table."""
        return self.part

    def row_keys(self) -> list[Hashable]:
        """Returns `(part, value)` of each row, after that of missing timestamps."""
        return [MISSING, *((self.part, value) for value in range(PARTS[self.part]))]

    def raw_values(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the seconds since 1970 in UTC, int64 `[B]`.

        Raises:
            ValueError: For a missing column, or numbers that are no seconds.
            TypeError: For a column of another type.
        """
        array = column(frame, self.column)
        kind = array.type
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            unzoned = pa.timestamp("us", getattr(kind, "tz", None))
            micros = array.cast(unzoned, safe=False).cast(pa.int64())
            values = micros.fill_null(0).to_numpy() // 1_000_000
        elif (whole := _whole_numbers(array)) is not None:
            array = whole
            values = array.fill_null(0).to_numpy()
        elif array.null_count == len(array):
            values = np.zeros(len(array), np.int64)
        else:
            fix = f"pandas.to_datetime(frame[{self.column!r}])"
            if pa.types.is_floating(kind):  # Pandas would take nanoseconds.
                fix = f"(frame[{self.column!r}] // 1).astype('Int64')"
            raise TypeError(
                explain(
                    f"timestamps, dates or whole seconds in column {self.column!r}",
                    f"values of type {kind}",
                    f"convert them: {fix}",
                )
            )
        present = array.is_valid().to_numpy(zero_copy_only=False)
        present &= values != PADDING
        largest = np.abs(values, where=present, out=np.zeros_like(values)).max(
            initial=0
        )
        if largest > LARGEST:
            raise ValueError(
                explain(
                    f"seconds since 1970 in column {self.column!r}",
                    f"{largest}, which is after the year 5000",
                    f"divide milliseconds: frame[{self.column!r}] // 1000",
                )
            )
        return np.where(present, values, PADDING)

    def example_values(self, n: int, generator: np.random.Generator) -> pd.Series:
        """Returns `n` random timestamps, a tenth missing."""
        seconds = generator.integers(1_600_000_000, 1_800_000_000, n)
        times = pd.Series(pd.to_datetime(seconds, unit="s"))
        return times.mask(generator.random(n) < 0.1)

    def encode(
        self, values: tf.Tensor, table: tf.lookup.StaticHashTable | None = None
    ) -> tf.Tensor:
        """Returns the rows of the parts of timestamps as int64 `[B]`."""
        present = values != PADDING
        local = tf.where(present, values, 0) + round(3600 * self.utc_offset)
        hour = tf.math.floormod(local, DAY) // 3600
        weekday = tf.math.floormod(local // DAY + FIRST_WEEKDAY, 7)
        found = {
            "hour": hour,
            "weekday": weekday,
            "hour_of_week": 24 * weekday + hour,
        }[self.part]
        return tf.where(present, 1 + found, 0)

    def learner(self) -> Learner:
        """Returns a learner that checks the timestamps, and counts those given."""
        return _TimeCheck(self)


class _TimeCheck(Learner):
    """Learns nothing: counts the timestamps that are not missing."""

    def __init__(self, field):
        self._field = field
        self._rows = self._given = 0

    def update(self, frame):
        values = self._field.raw_values(frame)
        self._rows += len(values)
        self._given += int((values != PADDING).sum())

    def statistics(self, period):
        return Presence(self._rows, self._given)


def _whole_numbers(array: pa.Array) -> pa.Array | None:
    """Returns numbers as integers; `None` if they are something else.

    Pandas has floats where an integer is missing.
    """
    kind = array.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    try:
        return as_ids(array, "", "int64")
    except TypeError:
        return None
