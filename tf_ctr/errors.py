"""The three-part error message: what was expected, what came, how to fix it."""

import math
import numbers
from collections.abc import Collection, Iterable, Sequence
from typing import Any


def explain(expected: str, received: Any, fix: str) -> str:
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


def unknown_name(kind: str, name: Any, valid: Iterable[str]) -> str:
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


def check_name(kind: str, name: Any, valid: Collection[str]) -> None:
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


def check_choice(argument: str, value: Any, choices: Sequence[Any]) -> None:
    """Raises unless `value` is one of `choices`.

    Args:
        argument: Name of the argument.
        value: The value that came.
        choices: The valid values, the default first.

    Raises:
        ValueError: If it is none of them.

    Example:

    >>> check_choice("pooling", "mean", ("mean", "sum"))
    """
    if value not in choices:
        raise ValueError(
            explain(
                f"`{argument}` to be one of {', '.join(map(repr, choices))}",
                repr(value),
                f"pass {argument}={choices[0]!r}",
            )
        )


def check_count(argument: str, value: Any, least: int, most: float = math.inf) -> None:
    """Raises unless `value` is a whole number from `least` to `most`.

    Args:
        argument: Name of the argument.
        value: The value that came.
        least: The smallest valid number.
        most: The largest valid number.

    Raises:
        ValueError: If it is not a whole number, or outside the limits.

    Example:

    >>> check_count("num_buckets", 0, least=1)
    Traceback (most recent call last):
    ValueError: Expected `num_buckets` to be a whole number of at least 1.
    Received: 0.
    Fix: pass num_buckets=1, for example.
    """
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


def check_positive(**arguments: Any) -> None:
    """Raises unless every argument is a whole number of at least 1.

    Args:
        **arguments: `name=value`; a tuple or list holds one number per layer, and may
            be empty.

    Raises:
        ValueError: For the first argument that is not.

    Example:

    >>> check_positive(units=4, hidden_units=(8, 4))
    >>> check_positive(rank=0)
    Traceback (most recent call last):
    ValueError: Expected `rank` to be a whole number of at least 1.
    Received: 0.
    Fix: pass rank=1, for example.
    """
    for argument, value in arguments.items():
        for number in value if isinstance(value, tuple | list) else (value,):
            check_count(argument, number, least=1)
