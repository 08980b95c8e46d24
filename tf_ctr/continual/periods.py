"""Periods of time, in order and without gaps."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import pandas as pd

from tf_ctr.continual.times import Time, kind, moment
from tf_ctr.errors import check_count, explain
from tf_ctr.rows import Source, rows

Rows: TypeAlias = Source | Callable[[], Source]


@dataclasses.dataclass(frozen=True)
class Period:
    """The impressions of one period: an hour, a day, a week.

    Attributes:
        number: 0, 1, 2, ...: one more than the number of the previous period.
        data: The rows of the target domain: a pandas frame, a path, or rows of any kind
            that `tf_ctr.data.rows` opens; or a function without arguments that returns
            one of these. They are read when the run reaches the period, into memory,
            and there may be none. An iterator is refused, because a run may read a
            period again.
        end: The time at which the period ends, a number or an ISO date, on a clock that
            all runs share: a run takes source models that are ready by then. Defaults
            to `number`, for runs whose periods have the same start and length.
        name: The name of the period in reports. Defaults to `end`.
        source: The impressions of the source domain, like `data`. Only models of
            `tf_ctr.joint` are trained on them.
        ready: The time at which other runs can use the model of this period, on the
            same clock. Defaults to `end`; a `Level` adds its delay.

    Raises:
        ValueError: If `number` is not a whole number of at least 0, or `ready` is
            before `end`, or a time is neither finite nor an ISO date.
        TypeError: If `end` is neither a number nor text, or `ready` is of another kind.

    Example:

    >>> Period(0, pd.DataFrame(), end="2022-04-25").label
    '2022-04-25'
    """

    number: int
    data: Rows = dataclasses.field(repr=False)
    end: Time = None  # type: ignore[assignment]  # `__post_init__` sets it.
    name: str = ""
    source: Rows | None = dataclasses.field(default=None, repr=False)
    ready: Time = None  # type: ignore[assignment]  # `__post_init__` sets it.

    def __post_init__(self) -> None:
        check_count("number", self.number, least=0)
        for rows_of in (self.data, self.source):
            if isinstance(rows_of, Iterator):
                raise TypeError(
                    explain(
                        "rows of a period that can be read again",
                        "an iterator",
                        "pass a path, a frame, or a function that returns one of these",
                    )
                )
        if self.end is None:
            object.__setattr__(self, "end", int(self.number))
        if self.ready is None:
            object.__setattr__(self, "ready", self.end)
        self._check_times()

    def _check_times(self):
        end, ready = moment("end", self.end), moment("ready", self.ready)
        if kind(self.ready) != kind(self.end):
            raise TypeError(
                explain(
                    f"`ready` to be of the same kind as the end {self.end!r}, "
                    f"{kind(self.end)}",
                    f"{self.ready!r}, {kind(self.ready)}",
                    "pass both as numbers, or both as ISO dates, with or without "
                    "offsets",
                )
            )
        if ready < end:
            raise ValueError(
                explain(
                    f"a model that is ready no earlier than its end, {self.end!r}",
                    repr(self.ready),
                    "leave ready= out if training takes no time",
                )
            )

    @property
    def label(self) -> str:
        """The name, or the end of a period without a name."""
        return self.name or str(self.end)

    def read(self) -> pd.DataFrame:
        """Returns the rows of the target domain."""
        return _read(self.data)

    def read_source(self) -> pd.DataFrame | None:
        """Returns the rows of the source domain, or `None` if there are none."""
        rows = None if self.source is None else _read(self.source)
        return rows if rows is not None and len(rows) else None


def _read(data):
    found = data() if callable(data) else data
    return found if isinstance(found, pd.DataFrame) else rows(found).to_pandas()


def ordered(periods: Iterable[Period]) -> list[Period]:
    """Returns the periods as a list, after checking their order.

    Raises:
        TypeError: If a period is not a `Period`, or their ends differ in kind.
        ValueError: If there is no period, or one is missing, repeated or out of order.

    Example:

    >>> ordered([Period(3, pd.DataFrame()), Period(5, pd.DataFrame())])
    Traceback (most recent call last):
    ValueError: Expected periods in order, each numbered one more than the last.
    Received: 5 after 3, so that 4 is missing.
    Fix: add Period(4, data); if nothing happened, with data without rows.
    """
    periods = list(periods)
    fix = "pass a list of tf_ctr.continual.Period(number, frame)"
    for period in periods:
        if not isinstance(period, Period):
            raise TypeError(explain("periods", type(period).__name__, fix))
    if not periods:
        raise ValueError(explain("at least one period", "none", fix))
    for last, period in zip(periods[:-1], periods[1:], strict=True):
        if period.number != last.number + 1:
            raise ValueError(_out_of_order(last.number, period.number))
        check_later(period, last.end)
    return periods


def check_later(period: Period, last: Time) -> None:
    """Raises unless a period ends later than the one before it.

    Args:
        period: The period.
        last: The end of the period before it.

    Raises:
        TypeError: If the two ends differ in kind.
        ValueError: If the period does not end later.
    """
    if kind(last) != kind(period.end):
        raise TypeError(
            explain(
                "ends of one kind, all numbers or all ISO dates, with or without "
                "offsets",
                f"{period.end!r} after {last!r}",
                "pass end= for all periods, or for none",
            )
        )
    if not moment("end", last) < moment("end", period.end):
        raise ValueError(
            explain(
                "periods that end one after another",
                f"period {period.number} ends at {period.end!r}, the one before it at "
                f"{last!r}",
                "pass end= for all periods, or for none",
            )
        )


def left(periods: Sequence[Period], last: int | None) -> list[Period]:
    """Returns the periods that are left to run after period `last`.

    Args:
        periods: The periods in order.
        last: Number of the newest finished period; `None` if there is none.

    Raises:
        ValueError: If there is a gap between `last` and the first period.
    """
    if last is None:
        return list(periods)
    if periods[0].number > last + 1:
        raise ValueError(_out_of_order(last, periods[0].number))
    return [period for period in periods if period.number > last]


def _out_of_order(last, number):
    if number == last:
        what, fix = "", f"pass period {number} once, with all of its rows"
    elif number < last:
        what, fix = ", out of order", "sort the periods by number"
    else:
        missing = f"{last + 1}" if number == last + 2 else f"{last + 1} to {number - 1}"
        what = f", so that {missing} is missing"
        fix = (
            f"add Period({last + 1}, data); if nothing happened, with data without rows"
        )
    return explain(
        "periods in order, each numbered one more than the last",
        f"{number} after {last}{what}",
        fix,
    )
