"""Results of an experiment as JSON lines, one for each run that is done."""

import datetime
import importlib.metadata
import json
import pathlib
import platform
import subprocess
import time

import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.files import replacing

OTHER_FOLDER = "give the same options, or another --run-dir"

PACKAGES = ("tf_ctr", "tensorflow", "keras", "numpy", "pandas", "scikit-learn")


class ResultLines:
    """A file of JSON lines that a killed experiment finds again.

    Args:
        path: The file; it need not be there.

    Raises:
        ValueError: If a line of the file is not JSON.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.records = _read(self.path) if self.path.exists() else []

    def has(self, **key):
        """Whether a record has all these values."""
        return any(
            all(record.get(name) == value for name, value in key.items())
            for record in self.records
        )

    def require(self, where, made_with, fix=OTHER_FOLDER):
        """Refuses records that were made in another way than the run at hand.

        Args:
            where: `{name: value}` of the records that are meant; empty for all.
            made_with: `{name: value}` that each of them must say of itself.
            fix: What to do otherwise, for the message.

        Raises:
            ValueError: If one of them says something else.
        """
        wanted = json.loads(json.dumps(made_with))
        for record in self.records:
            found = {name: record.get(name) for name in wanted}
            if where.items() <= record.items() and found != wanted:
                raise ValueError(
                    explain(
                        f"what {self.path} was made with, {found}",
                        wanted,
                        fix,
                    )
                )

    def append(self, record):
        """Adds a record, and writes all: the file is whole at any moment."""
        self.records.append(json.loads(json.dumps(record)))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as partial:
            lines = (json.dumps(record) + "\n" for record in self.records)
            partial.write_text("".join(lines))

    def frame(self):
        """Returns the records as a pandas frame."""
        return pd.DataFrame(self.records)


def _read(path):
    records = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(
                explain(
                    f"JSON in every line of {path}",
                    f"line {number}: {line[:60]!r}",
                    "remove that line; its run is then done again",
                )
            ) from error
    return records


def provenance():
    """Returns what a number came from: versions, machine, commit and time."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "versions": {**versions, "python": platform.python_version()},
        "machine": f"{platform.machine()}, {platform.system()}",
        "commit": _commit(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _commit():
    """The commit, with `+` if the tree differs from it; `None` outside of git."""
    folder = pathlib.Path(__file__).parent

    def git(*arguments):
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    try:
        commit = git("rev-parse", "HEAD").stdout.strip()
        changed = git("status", "--porcelain", "--untracked-files=no").stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changed else "")


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
