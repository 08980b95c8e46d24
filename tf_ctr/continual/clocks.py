"""Runs several levels on one clock; none of them waits for another."""

import dataclasses
import json
import numbers
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tf_ctr.continual.periods import Period, ordered
from tf_ctr.continual.report import Report
from tf_ctr.continual.store import Store
from tf_ctr.continual.times import Time, kind, moment
from tf_ctr.errors import explain
from tf_ctr.training.workers import check_by_itself


@dataclasses.dataclass(frozen=True)
class Level:
    """A run with its own schedule.

    Attributes:
        name: The name of the level in messages.
        periods: The periods of the run, of any length; their ends are on the clock
            that all levels share.
        directory: The folder of the run.
        run: A function that runs the periods that it is given, the first ones of the
            level, e.g. `functools.partial(tf_ctr.continual.run, directory=...,
            source=...)`.
        reads: The levels whose newest finished models the run reads.
        delay: The time from the end of a period to the end of its training, on the
            shared clock. Other levels do not see the model until then. A delay needs
            ends that are numbers.

    Raises:
        ValueError: If the delay is negative, or the periods are not in order.
        TypeError: If there is a delay and ends are dates.
    """

    name: str
    periods: Iterable[Period] = dataclasses.field(repr=False)
    directory: str | os.PathLike
    run: Callable[[Sequence[Period]], Any] = dataclasses.field(repr=False)
    reads: Sequence["Level"] = ()
    delay: float = 0

    def __post_init__(self) -> None:
        periods = ordered(self.periods)
        if self.delay < 0:
            raise ValueError(
                explain("a delay of 0 or more", self.delay, "pass delay=0 for none")
            )
        if self.delay and not isinstance(periods[0].end, numbers.Real):
            raise TypeError(
                explain(
                    "ends of periods that are numbers, to add a delay to",
                    repr(periods[0].end),
                    "pass e.g. hours since the first period, or delay=0",
                )
            )
        if self.delay:
            periods = [
                dataclasses.replace(p, ready=p.end + self.delay)  # type: ignore[operator]  # Numbers.
                for p in periods
            ]
        # An iterator can be read only once.
        object.__setattr__(self, "periods", periods)

    def finished(self) -> set[int]:
        """Returns the numbers of the finished periods."""
        return set(Store(self.directory).numbers())

    def lateness(self, now: Time) -> str:
        """Returns a message if a due period is not finished, otherwise `""`.

        Args:
            now: The time; periods that end by then are due.
        """
        late = self._late(now)
        if not late:
            return ""
        store = Store(self.directory)
        last = store.latest(now, good=store.is_intact)
        newest = "no model is ready yet"
        if last is not None:
            newest = f"the newest model is of period {last['name']}"
        return f"{self.name} is late with period {late[-1].label}; {newest}"

    def _late(self, now):
        finished, due = self.finished(), moment("time", now)
        return [
            period
            for period in self.periods
            if moment("end", period.end) <= due
            and not (period.number in finished and moment("ready", period.ready) <= due)
        ]


class NotYetError(ValueError):
    """Raised by a level that has no model to start from yet; this is not a failure."""


def run_levels(
    levels: Sequence[Level],
    directory: str | os.PathLike,
    strict: bool = False,
    verbose: int = 1,
) -> dict[str, Report]:
    """Runs levels period by period, in the order in which their trainings are due.

    Each level reads the models that the levels below have finished by the end of its
    period. No level waits for another. If a level fails, the others continue with its
    newest finished model; when its next period is due, the level tries again from the
    period that failed. The folders of the levels are the only state: a killed call
    resumes when it is repeated.

    To run the levels in separate processes, call this function once in each process,
    with one level.

    Args:
        levels: The levels. If several are due at the same time, they run in this order.
        directory: The folder for `schedule.jsonl`, which gets a line per training that
            finished, failed, could not start yet, or was late.
        strict: Whether to raise the error of a level that fails.
        verbose: 0 prints only failures and lateness, 1 also every finished training.

    Returns:
        `{name: report}`.

    Raises:
        ValueError: If two levels have the same name, or, after all levels have run, if
            a record cannot be read; or on one of several workers.
        TypeError: If the ends are numbers in some levels and dates in others.

    Example:

    >>> import tempfile, pandas as pd
    >>> from tf_ctr.continual import Level, Period, run_levels
    >>> def failing(periods):
    ...     raise OSError("no space left")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     level = Level("daily", [Period(0, pd.DataFrame())], f"{folder}/d", failing)
    ...     _ = run_levels([level], folder)
    daily, period 0: failed: OSError: no space left
    """
    check_by_itself("continual.run_levels")
    _check_names([level.name for level in levels])
    _check_ends(levels)
    log = _Log(pathlib.Path(directory) / "schedule.jsonl", verbose)
    ticks = [
        (moment("ready", period.ready), place, index)
        for place, level in enumerate(levels)
        for index, period in enumerate(level.periods)
    ]
    for _, place, index in sorted(ticks):
        level = levels[place]
        periods = list(level.periods)[: index + 1]
        period = periods[-1]
        if period.number <= max(level.finished(), default=-1):
            continue
        try:
            for lower in level.reads:
                message = lower.lateness(period.end)
                if message:
                    log.add(level, period, "late", message)
            level.run(periods)
        except NotYetError as error:
            log.add(level, period, "not yet", f"not yet: {error}")
        except Exception as error:
            if strict:
                raise
            log.add(level, period, "failed", f"failed: {type(error).__name__}: {error}")
        else:
            log.add(level, period, "finished", "finished")
    return {level.name: Report(Store(level.directory).records()) for level in levels}


def _check_names(names):
    if len(set(names)) < len(names):
        raise ValueError(
            explain(
                "levels of different names",
                names,
                "rename one with dataclasses.replace(level, name=...)",
            )
        )


def _check_ends(levels):
    ends = {level.name: list(level.periods)[-1].end for level in levels}
    if len({kind(end) for end in ends.values()}) > 1:
        raise TypeError(
            explain(
                "ends of one kind, on a clock that all levels share",
                ends,
                "pass end= to the periods of all levels, either numbers or ISO dates",
            )
        )


class _Log:
    """Appends to the log of the schedule, as other calls and processes may do."""

    def __init__(self, path, verbose):
        self._path, self._verbose = path, verbose
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, level, period, status, message):
        if self._verbose or status != "finished":
            print(f"{level.name}, period {period.label}: {message}", flush=True)
        record = {"level": level.name, "number": int(period.number)}
        record |= {"end": period.end, "status": status, "message": message}
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")
