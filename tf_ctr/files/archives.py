"""Archives of others: what they hold is checked before anything is unpacked."""

import json
import os
import pathlib
import stat
import zipfile
from typing import Any

from tf_ctr.errors import explain

MOST_ENTRIES = 10_000

# Files of Keras are stored without compression, and weights hardly compress: only text
# does, by less than this.
MOST_RATIO = 100

# Below it, an archive may be of any ratio.
SMALL = 64 * 2**20

MOST_JSON = 64 * 2**20


def check_archive(path: str | os.PathLike) -> None:
    """Raises unless a zip archive unpacks to what it seems to be, in its own folder.

    Only the table of contents is read. `zipfile` never unpacks more bytes of an entry
    than its table says.

    Args:
        path: The archive, e.g. `model.keras`.

    Raises:
        ValueError: For a path out of the folder, a link, an entry twice, more than
            10,000 entries, entries that share bytes, or more than 64 MiB that are more
            than 100 times as large as the archive.
        zipfile.BadZipFile: If it is no archive.
        OSError: If it cannot be read.
    """
    path = pathlib.Path(path)
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    problem = _problem(entries, size)
    if problem is not None:
        raise ValueError(
            explain(
                f"an archive that unpacks in its own folder, and not beyond bounds, "
                f"in {path}",
                problem,
                "do not use this file; get it again from whom you trust",
            )
        )


def _problem(entries, size):
    names = [each.filename for each in entries]
    if len(names) > MOST_ENTRIES:
        return f"{len(names):,} entries"
    if len(set(names)) < len(names):
        return "an entry that is there twice"
    for each in entries:
        # `zipfile` itself turns the separator of the system into "/".
        parts = each.filename.replace("\\", "/").split("/")
        if parts[0] == "" or ".." in parts or ":" in parts[0] or "\0" in each.filename:
            return f"the path {each.filename!r}"
        if stat.S_ISLNK(each.external_attr >> 16):
            return f"the link {each.filename!r}"
    if sum(each.compress_size for each in entries) > size:
        return "entries that share bytes"
    unpacked = sum(each.file_size for each in entries)
    if unpacked > max(SMALL, MOST_RATIO * size):
        return f"{size:,} bytes that unpack to {unpacked:,}"
    return None


def read_json(content: bytes, what: str) -> Any:
    """Returns parsed JSON of others, within bounds of size and depth.

    Args:
        content: The text as UTF-8.
        what: What it is, for the error.

    Raises:
        ValueError: If it is no JSON, is larger than 64 MiB, or nested deeper than
            Python parses, about 1,000 levels.

    Example:

    >>> read_json(b"[" * 10**5, "a schema")
    Traceback (most recent call last):
    ValueError: Expected a schema as JSON, at most 64 MiB and 1,000 levels deep...
    """
    if len(content) > MOST_JSON:
        problem: object = f"{len(content):,} bytes"
    else:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            problem = error
    raise ValueError(
        explain(
            f"{what} as JSON, at most 64 MiB and 1,000 levels deep",
            problem,
            "write it again, or get it again from whom you trust",
        )
    )
