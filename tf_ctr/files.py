"""Writing files so that a failure never costs the old content."""

import contextlib
import hashlib
import os
import pathlib

from tf_ctr.errors import explain


def checksum(path) -> str:
    """Returns the SHA-256 of a file's content."""
    with pathlib.Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged_file(folder, checksums):
    """Returns the first file that is missing or not as it was; `None` if all are.

    Args:
        folder: `pathlib.Path`.
        checksums: `{name: checksum}` of the files as they were written.
    """
    for name, known in checksums.items():
        if not (folder / name).exists() or checksum(folder / name) != known:
            return name
    return None


@contextlib.contextmanager
def replacing(path):
    """Yields a temporary sibling of `path`, which takes its place on success.

    Args:
        path: The file to write. Its folder is made if it is missing.

    Yields:
        The path to write to. It is removed if the block raises.

    Raises:
        ValueError: If `path` is a folder.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise ValueError(
            explain("a file to write", f"the folder {path}", "add a file name to it")
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
