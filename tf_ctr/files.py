"""Writes files and folders atomically and durably, and verifies their checksums.

Everything is written to a temporary sibling, which takes the final name by one rename.
So a failure or a kill neither loses the old content nor leaves half of the new.
"""

import contextlib
import hashlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping

from tf_ctr.errors import explain


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary sibling of a file, which replaces the file on success.

    Args:
        path: The file to write. Its folder is created if it is missing.

    Yields:
        The path to write to. The file is removed if the block raises.

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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields an empty temporary folder, which becomes `path` on success.

    An existing folder is replaced. Between two renames, the old folder exists only as
    `replaced_folder(path)`: a process killed at that moment leaves it under this name.

    Args:
        path: The folder to write. Its parent is created if it is missing.

    Yields:
        The folder to write to. It is removed if the block raises. The next call
        removes the leftover of a killed process.

    Example:

    >>> import tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "000001"
    >>> with whole_folder(folder) as partial:
    ...     _ = (partial / "model.keras").write_text("weights")
    >>> [file.name for file in folder.iterdir()]
    ['model.keras']
    """
    path = pathlib.Path(path)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        _flush_tree(partial)
        replaced = replaced_folder(path)
        if path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            # `os.rename` cannot replace a folder that has files in it.
            os.rename(path, replaced)
        os.rename(partial, path)
        _flush(path.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replaced_folder(path: str | os.PathLike) -> pathlib.Path:
    """Returns the path to which `whole_folder` moves the folder that it replaces."""
    path = pathlib.Path(path)
    return path.with_name(f".{path.name}.replaced")


def move_folder(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Renames a complete folder, which stays whole even after a power cut.

    Args:
        folder: The folder. Its content reaches the disk before the new name does.
        path: The new name, on the same file system.

    Raises:
        OSError: If `path` is a folder that has files in it.
    """
    _flush_tree(folder)
    os.rename(folder, path)
    _flush(path.parent)


def checksum(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file's content."""
    with pathlib.Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: pathlib.Path) -> dict[str, str]:
    """Returns `{name: checksum}` of the files in a folder."""
    return {path.name: checksum(path) for path in sorted(folder.iterdir())}


def damaged_file(folder: pathlib.Path, known: Mapping[str, str]) -> str | None:
    """Returns the first file that is missing or changed; `None` if all are intact.

    Args:
        folder: The folder of the files.
        known: `{name: checksum}` of the files as they were written.
    """
    for name, expected in known.items():
        if not (folder / name).exists() or checksum(folder / name) != expected:
            return name
    return None


def _flush_tree(folder: pathlib.Path) -> None:
    for file in [*folder.rglob("*"), folder]:
        _flush(file)


def _flush(path: pathlib.Path) -> None:
    # Otherwise the rename may reach the disk before the content does, and a power
    # cut leaves an empty file under the final name.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
