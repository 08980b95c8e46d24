"""Error messages in three parts, and argument checks that several packages share.

Every message says what was expected, what was received, and how to fix it. A check is
a function `check_...` that raises an error with such a message. Those here return
nothing and raise `ValueError`:

- `check_name`: a name must be one of the names in a schema or a model;
- `check_choice`: an argument must be one of a few fixed values;
- `check_count`, `check_positive`: arguments must be whole numbers in a range.
"""

import math
import numbers
from collections.abc import Collection, Iterable, Sequence
from typing import Any


def explain(expected: str, received: Any, fix: str) -> str:
    """Returns one message in three parts, for any exception.

    Args:
        expected: What the caller should have passed.
        received: What the caller passed; shown as text.
        fix: How to fix it, as an instruction.

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
    """Returns the message for a wrong name, with the valid names.

    Args:
        kind: The kind of thing that is named, e.g. `"field"`.
        name: The name received.
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
    """Raises unless `name` is one of the valid names, which the error lists.

    Args:
        kind: The kind of thing that is named, e.g. `"field"`.
        name: The name received.
        valid: The valid names, or a dict with these keys.

    Raises:
        ValueError: If `name` is none of them.

    Example:

    >>> check_name("field", "item", ["item", "user"])
    >>> check_name("field", "itm", ["item", "user"])
    Traceback (most recent call last):
    ValueError: Expected the name of a field.
    Received: 'itm'.
    Fix: use one of: item, user.
    """
    if name not in valid:
        raise ValueError(unknown_name(kind, name, valid))


def check_choice(argument: str, value: Any, choices: Sequence[Any]) -> None:
    """Raises unless `value` is one of `choices`.

    Args:
        argument: Name of the argument.
        value: The value received.
        choices: The valid values; the first one is suggested as the fix.

    Raises:
        ValueError: If `value` is none of them.

    Example:

    >>> check_choice("pooling", "mean", ("mean", "sum"))
    >>> check_choice("pooling", "max", ("mean", "sum"))
    Traceback (most recent call last):
    ValueError: Expected `pooling` to be one of 'mean', 'sum'.
    Received: 'max'.
    Fix: pass pooling='mean'.
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

    NumPy integers are whole numbers; `True` and `2.0` are not.

    Args:
        argument: Name of the argument.
        value: The value received.
        least: The smallest valid number.
        most: The largest valid number.

    Raises:
        ValueError: If `value` is not a whole number, or outside the limits.

    Example:

    >>> check_count("num_buckets", 0, least=1)
    Traceback (most recent call last):
    ValueError: Expected `num_buckets` to be a whole number of at least 1.
    Received: 0.
    Fix: pass num_buckets=1, for example.
    """
    # Python's booleans are integers.
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
        **arguments: `name=value`. A value may be a tuple or a list of such numbers,
            also an empty one.

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
