"""Periods of time, in order and without a gap."""

import dataclasses
import numbers

import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.features.columns import check_frame

FIX = "pass a list of tf_ctr.continual.Period(number, frame)"


@dataclasses.dataclass(frozen=True)
class Period:
    """The impressions of one period: an hour, a day, a week.

    Attributes:
        number: 0, 1, 2, ...: one more than the period before has.
        data: A pandas frame of the target domain, or a function without arguments
            that returns one, called when the period's turn has come. It may be empty.
        end: When the period ends, a number or an ISO date, on a clock that all runs
            share: a run takes source models finished no later. Defaults to `number`,
            for periods of one length and start.
        name: What to call it in reports. Defaults to `end`.
        source: Likewise the source domain's impressions, for a model of
            `tf_ctr.joint`; no other model is trained on them.
        ready: When the model of this period is finished, on that clock: other runs
            take it from then on. Defaults to `end`; a `Level` adds its delay.

    Raises:
        ValueError: If `number` is not a count, or `ready` is before `end`.
        TypeError: If `end` is none of these, or `ready` is of another kind.

    Example:

    >>> Period(0, pd.DataFrame(), end="2022-04-25").label
    '2022-04-25'
    """

    number: int
    data: object = dataclasses.field(repr=False)
    end: object = None
    name: str = ""
    source: object = dataclasses.field(default=None, repr=False)
    ready: object = None

    def __post_init__(self):
        known = isinstance(self.number, numbers.Integral)
        if not known or isinstance(self.number, bool) or self.number < 0:
            raise ValueError(
                explain(
                    "a number of the period, 0 or more",
                    repr(self.number),
                    "number the periods 0, 1, 2, ... and name them by name=",
                )
            )
        if self.end is None:
            object.__setattr__(self, "end", int(self.number))
        if not isinstance(self.end, int | float | str):
            raise TypeError(
                explain(
                    "the end of a period as an int, a float, or an ISO date as text",
                    f"{type(self.end).__name__} {self.end}",
                    "pass e.g. int(end), or timestamp.isoformat()",
                )
            )
        if self.ready is None:
            object.__setattr__(self, "ready", self.end)
        self._check_ready()

    def _check_ready(self):
        if isinstance(self.ready, str) != isinstance(self.end, str):
            raise TypeError(
                explain(
                    f"when it is ready like its end, {self.end!r}",
                    repr(self.ready),
                    "give both as numbers, or both as ISO dates",
                )
            )
        if self.ready < self.end:
            raise ValueError(
                explain(
                    f"a model that is ready no earlier than its end, {self.end!r}",
                    repr(self.ready),
                    "leave ready= out for a training that takes no time",
                )
            )

    @property
    def label(self) -> str:
        """Its name, or else its end."""
        return self.name or str(self.end)

    def read(self) -> pd.DataFrame:
        """Returns the rows of the target domain."""
        return _read(self.data)

    def read_source(self):
        """Returns the rows of the source domain, `None` if there are none."""
        rows = None if self.source is None else _read(self.source)
        return rows if rows is not None and len(rows) else None


def _read(data):
    frame = data() if callable(data) else data
    check_frame(frame)
    return frame


def ordered(periods) -> list:
    """Returns the periods as a list.

    Raises:
        TypeError: For something else than periods.
        ValueError: If there is none, or one is missing, twice, or out of order.

    Example:

    >>> ordered([Period(3, pd.DataFrame()), Period(5, pd.DataFrame())])
    Traceback (most recent call last):
    ValueError: Expected periods in order, each numbered one more than the last.
    Received: 5 after 3, so that 4 is missing.
    Fix: add Period(4, data); if nothing happened, data without a row.
    """
    periods = list(periods)
    for period in periods:
        if not isinstance(period, Period):
            raise TypeError(explain("periods", type(period).__name__, FIX))
    if not periods:
        raise ValueError(explain("at least one period", "none", FIX))
    for last, period in zip(periods[:-1], periods[1:], strict=True):
        if period.number != last.number + 1:
            raise ValueError(_out_of_order(last.number, period.number))
        if not last.end < period.end:
            raise ValueError(
                explain(
                    "periods that end one after another",
                    f"period {period.number} ends at {period.end!r}, period "
                    f"{last.number} at {last.end!r}",
                    "leave end= out, or give all of them one",
                )
            )
    return periods


def left(periods, last) -> list:
    """Returns the periods after number `last`; all if it is `None`.

    Raises:
        ValueError: If there is a gap between `last` and the first one.
    """
    if last is None:
        return periods
    if periods[0].number > last + 1:
        raise ValueError(_out_of_order(last, periods[0].number))
    return [period for period in periods if period.number > last]


def _out_of_order(last, number):
    if number == last:
        what, fix = "", f"give period {number} once, with all of its rows"
    elif number < last:
        what, fix = ", out of order", "sort the periods by number"
    else:
        missing = f"{last + 1}" if number == last + 2 else f"{last + 1} to {number - 1}"
        what = f", so that {missing} is missing"
        fix = f"add Period({last + 1}, data); if nothing happened, data without a row"
    return explain(
        "periods in order, each numbered one more than the last",
        f"{number} after {last}{what}",
        fix,
    )
