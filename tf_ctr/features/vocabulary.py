"""Checks a vocabulary: all strings or all integers, each once, and no padding."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tf_ctr.errors import explain
from tf_ctr.features.field import Id, IdType

DEFAULT_PADDING: dict[IdType, Id] = {"string": "", "int64": -1}
PYTHON_TYPE: dict[IdType, type] = {"string": str, "int64": int}
DTYPES: dict[type, IdType] = {str: "string", int: "int64"}
INT64 = np.iinfo(np.int64)


def checked_vocabulary(
    name: str, ids: Iterable[Any], dtype: IdType | None
) -> tuple[tuple[Id, ...], IdType]:
    """Returns a vocabulary as Python values, and their dtype.

    Args:
        name: The field, for errors.
        ids: The ids, in the order of their rows.
        dtype: The dtype to expect; `None` for any.

    Raises:
        ValueError: For a repeated id.
        TypeError: Unless they are all strings or all integers, at least one.
    """
    if isinstance(ids, str | set | frozenset):
        raise TypeError(
            explain(
                f"a list of ids as the vocabulary of field {name!r}",
                type(ids).__name__,
                "pass a list, in the order of the embedding rows",
            )
        )
    ids = tuple(ids)
    if any(issubclass(kind, np.generic) for kind in set(map(type, ids))):
        # JSON cannot hold NumPy values.
        ids = tuple(i.item() if isinstance(i, np.generic) else i for i in ids)
    found = {DTYPES.get(kind) for kind in set(map(type, ids))}
    if len(found) != 1 or None in found or dtype not in (None, *found):
        raise TypeError(
            explain(
                f"the vocabulary of field {name!r} to be all strings or all integers, "
                f"and not empty (dtype={dtype!r})",
                f"values of types {sorted({type(i).__name__ for i in ids})}",
                "convert them: [str(value) for value in vocabulary]",
            )
        )
    if len(set(ids)) != len(ids):
        raise ValueError(
            explain(
                f"each id once in the vocabulary of field {name!r}",
                f"{len(ids) - len(set(ids))} repeated",
                "drop them: list(dict.fromkeys(vocabulary))",
            )
        )
    return ids, DTYPES[type(ids[0])]


def check_padding(
    name: str, padding: Any, dtype: IdType, vocabulary: Sequence[Id]
) -> None:
    """Raises unless `padding` is of a dtype and no id, and integers have 64 bits.

    Args:
        name: The field, for errors.
        padding: The raw value of a missing id.
        dtype: The dtype of the ids.
        vocabulary: The ids, of this dtype.

    Raises:
        ValueError: For a padding that is an id, or an integer that does not fit.
        TypeError: For a padding of another type.
    """
    if type(padding) is not PYTHON_TYPE[dtype]:
        raise TypeError(
            explain(
                f"`padding` of type {dtype} for field {name!r}",
                repr(padding),
                f"pass padding={DEFAULT_PADDING[dtype]!r}",
            )
        )
    if padding in vocabulary:
        raise ValueError(
            explain(
                f"a vocabulary of field {name!r} without the padding value",
                f"{padding!r} among the ids",
                "pass a padding= that is not an id",
            )
        )
    numbers: Sequence[Any] = (padding, *vocabulary) if dtype == "int64" else ()
    wrong = [n for n in numbers if not INT64.min <= n <= INT64.max]
    if wrong:
        raise ValueError(
            explain(
                f"ids of field {name!r} that fit in a signed 64-bit integer",
                f"{len(wrong)} that do not fit, e.g. {wrong[0]}",
                "pass strings: [str(value) for value in vocabulary]",
            )
        )
