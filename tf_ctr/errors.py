"""The three-part error message: what was expected, what came, how to fix it."""

import math
import numbers


def explain(expected: str, received: object, fix: str) -> str:
    """Returns one message in three parts, for any exception.

    Args:
        expected: What the caller should have given.
        received: What came instead; shown as text.
        fix: The action that mends it.

    Returns:
        The message.

    Example:

    >>> print(explain("a positive rank", -1, "pass rank=4"))
    Expected a positive rank.
    Received: -1.
    Fix: pass rank=4.
    """
    return f"Expected {expected}.\nReceived: {received}.\nFix: {fix}."


def unknown_name(kind: str, name: str, valid) -> str:
    """Returns the message for a wrong name, listing the valid ones.

    Args:
        kind: What the name should have named, e.g. `"field"`.
        name: The name that came.
        valid: The valid names.

    Returns:
        The message.

    Example:

    >>> print(unknown_name("field", "itm", ["item", "user"]))
    Expected the name of a field.
    Received: 'itm'.
    Fix: use one of: item, user.
    """
    names = ", ".join(sorted(valid)) or "(there is none)"
    return explain(f"the name of a {kind}", repr(name), f"use one of: {names}")


def check_name(kind: str, name: str, valid) -> None:
    """Raises, listing the valid names, unless `name` is one of them.

    Args:
        kind: What the name should name, e.g. `"field"`.
        name: The name that came.
        valid: The valid names, a collection.

    Raises:
        ValueError: If it is none of them.

    Example:

    >>> check_name("field", "item", ["item", "user"])
    """
    if name not in valid:
        raise ValueError(unknown_name(kind, name, valid))


def check_choice(argument, value, choices):
    """Raises unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(
            explain(
                f"`{argument}` to be one of {', '.join(map(repr, choices))}",
                repr(value),
                f"pass {argument}={choices[0]!r}",
            )
        )


def check_count(argument, value, least, most=math.inf):
    """Raises unless `value` is a whole number from `least` to `most`."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (whole and least <= value <= most):
        limits = f"of at least {least}" if most == math.inf else f"{least} to {most}"
        raise ValueError(
            explain(
                f"`{argument}` to be a whole number {limits}",
                repr(value),
                f"pass {argument}={max(least, 1)}, for example",
            )
        )
