"""Several runs on one line of event time, none of which waits for another."""

import dataclasses
import json
import numbers
import pathlib

from tf_ctr.continual.periods import ordered
from tf_ctr.continual.report import Report
from tf_ctr.continual.store import Store
from tf_ctr.errors import explain


@dataclasses.dataclass(frozen=True)
class Level:
    """A run with a clock of its own.

    Attributes:
        name: Its name, in messages.
        periods: Its `tf_ctr.continual.Period`s, of any length; their `end` is on the
            clock that all levels share.
        directory: The folder of its run.
        run: A function that runs it on some of its periods, the first ones, e.g.
            `functools.partial(tf_ctr.continual.run, directory=..., source=...)`.
        reads: Levels whose newest finished model it takes.
        delay: How long after the end of a period its training is finished: until then
            the others do not see it. With a delay, ends are numbers.

    Raises:
        ValueError: As `tf_ctr.continual.run` for `periods`, or for a negative delay.
        TypeError: For a delay with ends that are dates.
    """

    name: str
    periods: list = dataclasses.field(repr=False)
    directory: pathlib.Path
    run: callable = dataclasses.field(repr=False)
    reads: tuple = ()
    delay: float = 0

    def __post_init__(self):
        periods = ordered(self.periods)
        if self.delay < 0:
            raise ValueError(
                explain("a delay of 0 or more", self.delay, "train after the period")
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
                dataclasses.replace(period, ready=period.end + self.delay)
                for period in periods
            ]
        object.__setattr__(self, "periods", periods)  # An iterator ends but once.

    def finished(self) -> set:
        """Returns the numbers of the periods that it has finished."""
        return set(Store(self.directory).numbers())


class NotYetError(ValueError):
    """Raised by a level that has nothing to start from yet, which is no failure."""


def run_levels(levels, directory, strict=False, verbose=1):
    """Runs levels period by period, in the order in which their trainings are due.

    Each level reads what the levels below have finished by the end of its period, and
    no level waits. One that fails leaves the others going on with its last finished
    model, and tries again, from the period that failed, when its next one is due. All
    that is known of the past is what the levels' own folders hold: killed at any
    moment, the same call goes on.

    To run them in processes of their own, call this with one level in each.

    Args:
        levels: `Level`s; of those that are due at one time the first comes first.
        directory: The folder for `schedule.jsonl`, what failed and what was late.
        strict: Whether to raise what a level raises instead of going on; not what
            says that it cannot begin yet.
        verbose: 0 prints nothing but what failed or is late.

    Returns:
        `{name: tf_ctr.continual.Report}`.

    Raises:
        ValueError: If two levels have one name, or a record cannot be read; the latter
            at the end, when all others have gone on.
        TypeError: If some levels' ends are numbers and others' are dates.

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
    _check_names([level.name for level in levels])
    _check_ends(levels)
    log = _Log(pathlib.Path(directory) / "schedule.jsonl", verbose)
    ticks = [
        (period.ready, place, index)
        for place, level in enumerate(levels)
        for index, period in enumerate(level.periods)
    ]
    for _, place, index in sorted(ticks):
        level = levels[place]
        period = level.periods[index]
        if period.number <= max(level.finished(), default=-1):
            continue
        try:
            for lower in level.reads:
                message = lateness(lower, period.end)
                if message:
                    log.add(level, period, "late", message)
            level.run(level.periods[: index + 1])
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
                "rename one, by dataclasses.replace(level, name=...)",
            )
        )


def _check_ends(levels):
    ends = {level.name: level.periods[-1].end for level in levels}
    if len({isinstance(end, str) for end in ends.values()}) > 1:
        raise TypeError(
            explain(
                "ends of one kind, on a clock that all levels share",
                ends,
                "give the periods of all levels numbers by end=, or all ISO dates",
            )
        )


def lateness(level, now) -> str:
    """Returns which period until `now` a level has not finished, in words, or `""`."""
    finished = level.finished()
    late = [
        period
        for period in level.periods
        if period.end <= now and not (period.number in finished and period.ready <= now)
    ]
    if not late:
        return ""
    store = Store(level.directory)
    last = store.latest(now, good=store.is_intact)
    good = "there is none yet" if last is None else f"going on with {last['name']}"
    return f"{level.name} is late with {late[-1].label}; {good}"


class _Log:
    """What happened, a line each; other calls and processes add theirs."""

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
