"""What a check of a version finds."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One departure from the rules of the server.

    Attributes:
        rule: Which group of rules, e.g. `"signatures"`.
        severity: `"error"`: the server refuses the version, or answers wrongly.
            `"note"`: it serves, with the limit that the message states.
        message: What is wrong, with the values.
    """

    rule: str
    severity: str
    message: str

    def __str__(self):
        return f"{self.severity:5} {self.rule}: {self.message}"


def error(rule, message):
    """Returns a finding that must not be served."""
    return Finding(rule, "error", message)


def note(rule, message):
    """Returns a finding that limits how the version can be served."""
    return Finding(rule, "note", message)


def errors(findings):
    """Returns the findings that must not be served."""
    return [each for each in findings if each.severity == "error"]
