"""What was found in a folder, thing by thing."""

import collections
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Literal

State = Literal["whole", "damaged", "unchecked", "left over"]
Kind = Literal["period", "snapshot", "version", "state", "labels", "file", "folder"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing: a period, a snapshot, a version, the state of a run, or a file.

    Attributes:
        path: Its folder or file.
        kind: What it is.
        state: `"whole"` if all of it is as it was written; `"unchecked"` if it was
            written without checksums; `"left over"` if a process left it half-written,
            or is writing it now.
        problem: What is wrong with it.
        fix: What to do about it.
        done: What was done about it; empty if nothing was.
    """

    path: pathlib.Path
    kind: Kind
    state: State
    problem: str = ""
    fix: str = ""
    done: str = ""

    def __str__(self) -> str:
        lines = [f"{self.state}: {self.path}"]
        if self.problem:
            lines[0] += f": {self.problem}"
        if self.done:
            lines.append(f"  Done: {self.done}")
        elif self.fix:
            lines.append(f"  Fix: {self.fix}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Verification:
    """The result of `verify`.

    Attributes:
        findings: All things, in the order of their paths.
    """

    findings: Sequence[Finding]

    @property
    def damaged(self) -> list[Finding]:
        """The damaged things, with what was done about them."""
        return [each for each in self.findings if each.state == "damaged"]

    @property
    def well(self) -> bool:
        """Whether nothing damaged is left."""
        return all(each.done for each in self.damaged)

    def __str__(self) -> str:
        counts = collections.Counter(each.state for each in self.findings)
        told = ", ".join(f"{number} {state}" for state, number in counts.items())
        lines = [str(each) for each in self.findings if each.state != "whole"]
        return "\n".join([*lines, f"{len(self.findings)} checked: {told or 'nothing'}"])
