"""Numbers that two schemas standardise differently."""

import math

from tf_ctr.errors import explain
from tf_ctr.features import Numeric

# Moments learned from the same rows in another order differ by rounding.
TOLERANCE = 1e-6


def other_scales(source_schema, target_schema) -> tuple:
    """Returns the numbers that mean something else to the target, in words.

    A weight that was trained on `(x - mean) / std` is wrong for another mean or
    another standard deviation, and no copy of weights can make up for it.

    Args:
        source_schema: A fitted `tf_ctr.Schema`.
        target_schema: Another one.

    Returns:
        A sentence per field that both have and only standardise differently.

    Example:

    >>> from tf_ctr.features import Numeric, Schema
    >>> one, other = (Schema([Numeric("age", mean=m, std=2.0)]) for m in (30.0, 40.0))
    >>> other_scales(one, other)
    ("'age': mean 30, std 2 in the source, mean 40, std 2 in the target",)
    """
    sources = _scales(source_schema)
    return tuple(
        f"'{name}': {_words(sources[name])} in the source, "
        f"{_words(scale)} in the target"
        for name, scale in _scales(target_schema).items()
        if name in sources and not _same(sources[name], scale)
    )


def refuse_other_scales(scales):
    """Raises if there is one, for a warm start that is to be strict."""
    if scales:
        raise ValueError(
            explain(
                "numbers on one scale in both schemas, by strict=True",
                "; ".join(scales),
                "give the target's field the source's moments, e.g. "
                "Numeric('age', mean=30.0, std=2.0), or pass strict=False",
            )
        )


def _scales(schema):
    return {
        field.name: (field.mean, field.std)
        for field in schema.fields
        if isinstance(field, Numeric) and None not in (field.mean, field.std)
    }


def _same(one, other):
    spread = max(abs(one[1]), abs(other[1]), 1e-12)
    return all(
        math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE * spread)
        for a, b in zip(one, other, strict=True)
    )


def _words(scale):
    return "mean {:g}, std {:g}".format(*scale)
