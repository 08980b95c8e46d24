"""The results of an experiment: JSON lines, their provenance, and progress."""

import datetime
import importlib.metadata
import json
import pathlib
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.files import replacing
from tf_ctr.files.sealed import sealed, unsealed

OTHER_FOLDER = "give the same options, or another --run-dir"

PACKAGES = ("tf_ctr", "tensorflow", "keras", "numpy", "pandas", "scikit-learn")


class ResultLines:
    """A file of JSON lines, one per finished run, from which an experiment resumes.

    Args:
        path: The file; it need not exist.

    Raises:
        ValueError: If a line of the file is not JSON.
    """

    def __init__(self, path: str | pathlib.Path) -> None:
        self.path = pathlib.Path(path)
        self.records = _read(self.path) if self.path.exists() else []

    def has(self, **key: Any) -> bool:
        """Returns whether a record has all these values."""
        return any(
            all(record.get(name) == value for name, value in key.items())
            for record in self.records
        )

    def require(
        self,
        where: Mapping[str, Any],
        made_with: Mapping[str, Any],
        fix: str = OTHER_FOLDER,
    ) -> None:
        """Raises if records were made with other settings than those at hand.

        Args:
            where: `{name: value}` of the records to check; empty for all.
            made_with: `{name: value}` that each of them must have.
            fix: What the user can do, for the message.

        Raises:
            ValueError: If one of them has another value.
        """
        wanted = json.loads(json.dumps(made_with))
        for record in self.records:
            found = {name: record.get(name) for name in wanted}
            if where.items() <= record.items() and found != wanted:
                raise ValueError(
                    explain(
                        f"the settings that made {self.path}, {found}",
                        wanted,
                        fix,
                    )
                )

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds a record, and writes the whole file, so that a kill never halves it."""
        self.records.append(json.loads(json.dumps(record)))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as partial:
            lines = (sealed(json.dumps(record)) + "\n" for record in self.records)
            partial.write_text("".join(lines))

    def frame(self) -> pd.DataFrame:
        """Returns the records as a pandas frame."""
        return pd.DataFrame(self.records)


def _read(path):
    records = []
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            records.append(_record(line))
        except ValueError as error:
            raise ValueError(
                explain(
                    f"JSON in every line of {path}, as it was written",
                    f"line {number}, {error}: {line[:60]!r}",
                    "delete that line; its run is then repeated",
                )
            ) from error
    return records


def _record(line):
    values, has_sum = unsealed(line)
    if not isinstance(values, dict):
        raise ValueError("which is no record")
    # Lines of earlier releases have no sum. One whose name or value is damaged is none.
    if not has_sum and len(str([*values.values(), ""][-2])) == 64:
        raise ValueError("whose sum has changed since it was written")
    return values


def provenance() -> dict[str, Any]:
    """Returns where a number comes from: versions, machine, commit and time."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "versions": {**versions, "python": platform.python_version()},
        "machine": f"{platform.machine()}, {platform.system()}",
        "commit": _commit(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _commit():
    """Returns the commit, with `+` if files differ from it; `None` outside of git."""
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

    Runs that an earlier start finished count as done, but not for the time.

    Args:
        total: Number of runs.
        done: How many of them are already finished.
        clock: A function that returns seconds.
        show: A function that prints the line.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
        show: Callable[[str], Any] = print,
    ) -> None:
        self.total, self.before, self.done = total, done, done
        self._clock, self._show = clock, show
        self._start = clock()

    def step(self, text: str) -> None:
        """Counts a run, and prints `text` with the progress."""
        self.done += 1
        passed = self._clock() - self._start
        left = passed / (self.done - self.before) * (self.total - self.done)
        self._show(
            f"[{self.done}/{self.total}, {_duration(passed)} passed, "
            f"about {_duration(left)} left] {text}"
        )


def _duration(seconds):
    return str(datetime.timedelta(seconds=round(seconds)))
