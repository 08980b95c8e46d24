"""Ends programs at any change of the disk, and resumes them.

Each program runs once undisturbed. Then it runs again and again; each time a fault
comes at one of its changes of the disk: a kill, a kill that leaves half of a file, a
power cut (with the names or only the flushed ones on the disk), Ctrl-C, a full disk, a
refused permission. Then everything must be whole by its checksums, and the same call
must end with what the undisturbed one left, to the bit, without leftovers.

`results/kills.jsonl` has a line per point; a stopped script resumes.

    python -m pipelines.faults.kills
    python -m pipelines.faults.kills --programs fit promote --points 20
"""

import argparse
import collections
import contextlib
import io
import pathlib
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from typing import Any

import keras

from pipelines.faults.programs import PROGRAMS, prepare
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.tables import table
from tests.support.faults import Faults, KilledError, disk_after_a_power_cut
from tf_ctr.verification import verify

RESULTS = pathlib.Path(__file__).parent / "results" / "kills.jsonl"
# `{name: (the fault of the harness, what a power cut leaves of the names)}`.
FAULTS = {
    "kill": ("kill", None),
    "kill, half a file": ("torn", None),
    "power cut, names first": ("kill", True),
    "power cut, names last": ("kill", False),
    "Ctrl-C": ("interrupt", None),
    "full disk": ("full", None),
    "permission denied": ("denied", None),
}
OUTCOMES = ("equal", "different", "damaged", "left over", "failed")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the points that are left, and prints a table."""
    program = argparse.ArgumentParser(
        prog="python -m pipelines.faults.kills", description=__doc__.splitlines()[0]
    )
    add = program.add_argument
    add("--programs", nargs="+", default=list(PROGRAMS), choices=list(PROGRAMS))
    add("--points", type=int, default=100, metavar="N", help="per program")
    add("--results", type=pathlib.Path, default=RESULTS)
    args = program.parse_args(argv)
    lines = ResultLines(args.results)
    for name in args.programs:
        if sum(line["program"] == name for line in lines.records) < args.points:
            with tempfile.TemporaryDirectory() as folder:
                _Program(name, pathlib.Path(folder), lines).run(args.points)
    print(report(lines.records))


class _Program:
    """A program, its folder before, and what it leaves undisturbed."""

    def __init__(self, name: str, folder: pathlib.Path, lines: ResultLines) -> None:
        self.name, self.folder, self.lines = name, folder, lines
        self.before, self.root = folder / "before", folder / "root"
        self.before.mkdir()
        prepare(name, self.before)

    def run(self, points: int) -> None:
        """Runs the points that are left."""
        self._fresh()
        with Faults(self.root) as counting:
            expected = self._call()
        counting.disk.close()
        again = self._call()
        if again != expected:
            raise RuntimeError(f"{self.name} gives another result when called again")
        calls = len(counting.calls)
        chosen = _points(calls, points)
        done = [
            (line["fault"], line["at"])
            for line in self.lines.records
            if line["program"] == self.name
        ]
        progress = Progress(len(chosen), len(done))
        for fault, at in chosen:
            if (fault, at) in done:
                continue
            call, path = counting.calls[at]
            outcome, words = self._point(fault, at, expected)
            self.lines.append(
                {
                    "program": self.name,
                    "fault": fault,
                    "at": at,
                    "calls": calls,
                    "call": call,
                    "file": path.name,
                    "outcome": outcome,
                    "words": words,
                    **provenance(),
                }
            )
            progress.step(f"{self.name}, {fault} at {call} {path.name}: {outcome}")

    def _point(self, fault: str, at: int, expected: Any) -> tuple[str, str]:
        self._fresh()
        kind, names_first = FAULTS[fault]
        with contextlib.suppress(KilledError, KeyboardInterrupt, Exception):
            with Faults(self.root, at, kind) as faults:
                self._call()
        if names_first is not None:
            target = self.folder / "after"
            disk_after_a_power_cut(faults, target, names_first)
            shutil.rmtree(self.root)
            target.rename(self.root)
        faults.disk.close()
        found = verify(self.root)
        if not found.well:
            return "damaged", str(found)
        try:
            result = self._call()
        except Exception as error:
            return "failed", f"{type(error).__name__}: {error}"
        if result != expected:
            return "different", ""
        left = [each for each in verify(self.root).findings if each.state != "whole"]
        if left:
            return "left over", "; ".join(each.path.name for each in left)
        return "equal", ""

    def _call(self):
        keras.backend.clear_session()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(io.StringIO()):
                return PROGRAMS[self.name](self.root)

    def _fresh(self):
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.before, self.root)


def _points(calls: int, number: int) -> list[tuple[str, int]]:
    """Returns faults at changes of the disk, evenly spread over both."""
    every = [(fault, at) for at in range(calls) for fault in FAULTS]
    number = min(number, len(every))
    return [every[i * len(every) // number] for i in range(number)]


def report(records: Sequence[dict[str, Any]]) -> str:
    """Returns a Markdown table of the outcomes by program.

    Args:
        records: The lines of the results.
    """
    counts: dict[str, collections.Counter] = {}
    for record in records:
        counts.setdefault(record["program"], collections.Counter())[
            record["outcome"]
        ] += 1
    rows = [
        [name, *(str(counts[name][outcome]) for outcome in OUTCOMES)] for name in counts
    ]
    return table(["program", *OUTCOMES], rows)


if __name__ == "__main__":
    main()
