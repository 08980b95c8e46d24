"""Times on the clock that runs share: numbers, or ISO dates, compared as moments."""

import datetime
import math
from typing import Any, TypeAlias

from tf_ctr.errors import explain

# A time on the clock that all runs share: a number, or an ISO date.
Time: TypeAlias = int | float | str


def moment(name: str, time: Any) -> Any:
    """Returns a time in a form that compares in order with others of its kind.

    Text is compared as the moment that it names, not letter by letter: with offsets,
    `"2022-04-25T09:00+09:00"` is before `"2022-04-25T02:00+00:00"`. A date is its
    midnight.

    Args:
        name: What the time is, for errors.
        time: A finite number, or an ISO 8601 date as text, with or without a time and
            an offset.

    Returns:
        The number, or a `datetime.datetime`.

    Raises:
        TypeError: If the time is neither a number nor text.
        ValueError: If the number is not finite, or the text is no ISO date.

    Example:

    >>> moment("end", "2022-04-25T09:00+09:00") < moment("end", "2022-04-25T02:00Z")
    True
    >>> moment("end", "2022-9-30")
    Traceback (most recent call last):
    ValueError: Expected the end as an ISO date.
    Received: '2022-9-30'.
    Fix: write it as 2022-09-30 or 2022-09-30T14:00+02:00.
    """
    if isinstance(time, bool) or not isinstance(time, int | float | str):
        raise TypeError(
            explain(
                f"the {name} as an int, a float, or an ISO date as text",
                f"{type(time).__name__} {time}",
                "pass e.g. int(end), or timestamp.isoformat()",
            )
        )
    if isinstance(time, str):
        try:
            return datetime.datetime.fromisoformat(time)
        except ValueError:
            raise ValueError(
                explain(
                    f"the {name} as an ISO date",
                    repr(time),
                    "write it as 2022-09-30 or 2022-09-30T14:00+02:00",
                )
            ) from None
    if not math.isfinite(time):
        fix = "pass the number of e.g. hours since the first period"
        raise ValueError(explain(f"the {name} as a finite number", time, fix))
    return time


def kind(time: Time) -> str:
    """Returns what a time is; only times of one kind can be compared.

    Args:
        time: A time that `moment` accepts.

    Example:

    >>> [kind(time) for time in (7, "2022-04-25", "2022-04-25T09:00+09:00")]
    ['a number', 'an ISO date without an offset', 'an ISO date with an offset']
    """
    if not isinstance(time, str):
        return "a number"
    offset = "without" if moment("time", time).tzinfo is None else "with"
    return f"an ISO date {offset} an offset"


def is_ready(where: str, own: Time, last: Time, end: Time, before: bool) -> bool:
    """Returns whether a stored model may be used in a period that ends at `end`.

    Args:
        where: What the model's times are, for errors.
        own: The time at which it is ready.
        last: The end of its own period.
        end: The end of the period.
        before: Whether its own period must end earlier.

    Raises:
        TypeError: If the times differ in kind.

    Example:

    >>> [is_ready("end", 5, 4, end, before=False) for end in (4, 5)]
    [False, True]
    """
    if kind(own) != kind(end):
        raise TypeError(
            explain(
                f"an end like the {where}, e.g. {own!r}, {kind(own)}",
                f"{end!r}, {kind(end)}",
                "pass ends of one kind to both runs, with Period(end=...)",
            )
        )
    by = moment("end", end)
    return moment(where, own) <= by and not (before and moment(where, last) == by)
