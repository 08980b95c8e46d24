"""JSON files whose last entry is the SHA-256 of all that is before it.

The one way in which a file of our own is checked: manifests, the state of runs, labels,
schemas. The sum is that of the text without the entry. So a file is checked by its
bytes, and not written again to be compared.
"""

import hashlib
import json
import os
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from tf_ctr.errors import explain
from tf_ctr.files.writing import replacing

SUM = "sha256"
# In the two forms of `sealed`. Nothing else counts as a sum, so that a bit flipped in
# the entry itself is found.
_ENTRY = re.compile(rb',(?:\n | )"sha256": "([0-9a-f]{64})"(\n?\})\n?\Z')
_LONGEST = 96


class DamagedError(ValueError):
    """A stored file is missing, or is not as it was written.

    Args:
        expected: What was expected, as for `tf_ctr.errors.explain`.
        damage: What was found instead.
        fix: What to do.

    Attributes:
        damage: What was found instead.
        fix: What to do.
    """

    def __init__(self, expected: str, damage: str, fix: str) -> None:
        super().__init__(explain(expected, damage, fix))
        self.damage, self.fix = damage, fix


def sealed(text: str) -> str:
    """Returns the text of a JSON object with its own SHA-256 as the last entry.

    Args:
        text: What `json.dumps` returned, in one line or with `indent=1`; not empty.

    Example:

    >>> text = sealed(json.dumps({"epoch": 3}))
    >>> text[:27]
    '{"epoch": 3, "sha256": "8f5'
    >>> unsealed(text.encode())
    ({'epoch': 3}, True)
    """
    end, gap = ("\n}", "\n ") if text.endswith("\n}") else ("}", " ")
    own = hashlib.sha256(text.encode()).hexdigest()
    return f'{text.removesuffix(end)},{gap}"{SUM}": "{own}"{end}'


def unsealed(content: bytes) -> tuple[Any, bool]:
    """Returns the values of a JSON file, and whether they have their sum.

    Args:
        content: The file. One without a sum is parsed only.

    Raises:
        ValueError: If it is no JSON, or differs from what its sum was made of. The
            message is the second half of a sentence about the file.
    """
    entry = _ENTRY.search(content, max(0, len(content) - _LONGEST))
    if entry is not None:
        found = hashlib.sha256(memoryview(content)[: entry.start()])
        found.update(entry[2])
        if found.hexdigest() != entry[1].decode():
            raise ValueError("whose content has changed since it was written")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"which is no JSON ({error})") from error
    if entry is not None:
        del values[SUM]
    return values, entry is not None


def write_sealed(path: str | os.PathLike, values: Mapping[str, Any]) -> None:
    """Writes values as a sealed JSON file, in one step.

    Args:
        path: The file.
        values: JSON-like values, at least one, none of them called `sha256`.
    """
    with replacing(path) as temporary:
        text = sealed(json.dumps(values, indent=1))
        temporary.write_text(text + "\n", encoding="utf-8")


def read_sealed(
    path: str | os.PathLike,
    what: str,
    fix: str,
    is_old: Callable[[Any], bool] = lambda values: False,
) -> Any:
    """Returns the values of a JSON file that `write_sealed` wrote.

    Args:
        path: The file.
        what: What the file holds, for errors, e.g. `"the labels that wait"`.
        fix: What to do about a damaged file, for errors.
        is_old: Whether values without a sum are those of an older release, which wrote
            none. Be strict: a flipped bit must not make a file an old one.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedError: If it is not as it was written.

    Example:

    >>> import tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "pending.json"
    >>> write_sealed(file, {"canary": 2})
    >>> read_sealed(file, "the labels that wait", "remove it")
    {'canary': 2}
    >>> _ = file.write_text(file.read_text().replace("2", "3", 1))
    >>> read_sealed(file, "the labels that wait", "remove it")
    Traceback (most recent call last):
    tf_ctr.files.sealed.DamagedError: Expected the labels that wait in ...
    Received: pending.json, whose content has changed since it was written.
    Fix: remove it.
    """
    path = pathlib.Path(path)
    content = path.read_bytes()
    try:
        values, has_sum = unsealed(content)
        if has_sum or is_old(values):
            return values
        damage = f"{path.name} without a sum of its own, or with a damaged one"
    except ValueError as error:
        damage = f"{path.name}, {error}"
    raise DamagedError(f"{what} in {path} as they were written", damage, fix)
