"""Writes files atomically and durably.

A file is written as a temporary sibling, which takes the final name by one rename. So a
failure or a kill neither loses the old content nor leaves half of the new.
"""

import contextlib
import hashlib
import os
import pathlib
from collections.abc import Iterator

from tf_ctr.errors import explain
from tf_ctr.files.leftovers import mark, remove_left


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary sibling of a file, which replaces the file on success.

    Args:
        path: The file to write. Its folder is created if it is missing.

    Yields:
        The path to write to. The file is removed if the block raises. The next call
        removes the leftover of a killed process.

    Raises:
        ValueError: If `path` is a folder.

    Example:

    >>> import tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "state.json"
    >>> with replacing(file) as temporary:
    ...     _ = temporary.write_text("{}")
    ...     file.exists()
    False
    >>> file.read_text()
    '{}'
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise ValueError(
            explain("a file to write", f"the folder {path}", "add a file name to it")
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    before, after = (
        f".{path.stem}.",
        f".tmp{path.suffix}",
    )  # Keras insists on its suffix.
    remove_left(path.parent, before, after)
    temporary = path.with_name(f"{before}{mark()}{after}")
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def checksum(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file's content."""
    with pathlib.Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush_tree(folder: pathlib.Path) -> None:
    """Has the content of a folder and its subfolders reach the disk."""
    for file in [*folder.rglob("*"), folder]:
        flush(file)


def flush(path: pathlib.Path) -> None:
    """Has a file, or the names in a folder, reach the disk."""
    # Otherwise the rename may reach the disk before the content does, and a power
    # cut leaves an empty file under the final name.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
