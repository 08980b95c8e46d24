"""What a check of a version finds."""

from collections.abc import Iterable
from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One departure from the rules of the server.

    Attributes:
        rule: The group of rules, e.g. `"signatures"`.
        severity: `"error"`: the server crashes, does not load the version, or loads it
            and answers some request with an error or a wrong score; the message says
            which. `"note"`: it serves, with the limit that the message states.
        message: What is wrong, with the values.
    """

    rule: str
    severity: Literal["error", "note"]
    message: str

    def __str__(self) -> str:
        return f"{self.severity:5} {self.rule}: {self.message}"


def error(rule: str, message: str) -> Finding:
    """Returns a finding that a version must not be served with."""
    return Finding(rule, "error", message)


def note(rule: str, message: str) -> Finding:
    """Returns a finding that limits how a version can be served."""
    return Finding(rule, "note", message)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the findings of severity `"error"`."""
    return [each for each in findings if each.severity == "error"]
