"""How far a long experiment is, and how long it still takes."""

import datetime
import time


class Progress:
    """Prints a line per finished run: runs done, time passed, time left.

    Runs that were finished before this start count as done, not for the time.

    Args:
        total: Number of runs.
        done: Of these, finished before.
        clock: A function that returns seconds.
        show: A function that takes the line.
    """

    def __init__(self, total, done=0, clock=time.monotonic, show=print):
        self.total, self.before, self.done = total, done, done
        self._clock, self._show = clock, show
        self._start = clock()

    def step(self, text):
        """Counts a run and prints what `text` says of it."""
        self.done += 1
        passed = self._clock() - self._start
        left = passed / (self.done - self.before) * (self.total - self.done)
        self._show(
            f"[{self.done}/{self.total}, {_duration(passed)} passed, "
            f"about {_duration(left)} left] {text}"
        )


def _duration(seconds):
    return str(datetime.timedelta(seconds=round(seconds)))
