"""Turns the form of our docstrings into what the site shows."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^Examples?:\n\n", re.MULTILINE)
SOURCE = re.compile(r"^Source: ", re.MULTILINE)
# Arguments that share a description, `rate, units: As in ...`; names and text may wrap.
SHARED = re.compile(r"^    (\w+(?:,\s+\w+)+):(.*\n?(?:        .*\n?)*)", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrites the docstring of a module, class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Returns a docstring whose examples are fenced and whose arguments are single.

    Args:
        text: The docstring, without the indentation of its code.
    """
    text = EXAMPLE.sub("**Example:**\n\n", text)
    text = SOURCE.sub("**Source:** ", text)
    text = SHARED.sub(_one_by_one, text)
    lines, fenced = [], False
    for line in text.splitlines():
        if line.startswith(">>>") and not fenced:
            lines.append("```pycon")
            fenced = True
        elif not line.strip() and fenced:
            lines.append("```")
            fenced = False
        lines.append(line)
    return "\n".join([*lines, "```"] if fenced else lines)


def _one_by_one(match):
    names, description = re.split(r",\s+", match[1]), match[2].rstrip("\n")
    return "".join(f"    {name}:{description}\n" for name in names)
