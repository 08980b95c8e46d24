"""Writes folders atomically and durably, sealed by a manifest.

A folder is written as a temporary sibling, which takes the final name by one rename. So
a failure or a kill neither loses the old content nor leaves half of the new.
"""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

from tf_ctr.files import writing
from tf_ctr.files.manifest import seal


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields an empty temporary folder, which becomes `path` on success, sealed.

    A manifest of all files is written into it; see `tf_ctr.files.seal`.

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
    >>> sorted(file.name for file in folder.iterdir())
    ['manifest.json', 'model.keras']
    """
    path = pathlib.Path(path)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        seal(partial)
        writing.flush_tree(partial)
        replaced = replaced_folder(path)
        if path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            # `os.rename` cannot replace a folder that has files in it.
            os.rename(path, replaced)
        os.rename(partial, path)
        writing.flush(path.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replaced_folder(path: str | os.PathLike) -> pathlib.Path:
    """Returns the path to which `whole_folder` moves the folder that it replaces."""
    path = pathlib.Path(path)
    return path.with_name(f".{path.name}.replaced")


def settle_folder(path: str | os.PathLike) -> None:
    """Ends what a killed `whole_folder` began: the folder has its name, alone.

    Args:
        path: The folder. Nobody else may be writing it.
    """
    path = pathlib.Path(path)
    replaced = replaced_folder(path)
    if replaced.exists() and not path.exists():
        os.rename(replaced, path)
    for left in (replaced, path.with_name(f".{path.name}.partial")):
        shutil.rmtree(left, ignore_errors=True)


def remove_folder(path: str | os.PathLike) -> None:
    """Removes a folder: first its name, so that no half of it is there after a kill.

    What a kill leaves is removed by `settle_folder`, or by the next `whole_folder`.

    Args:
        path: The folder; it may be missing.
    """
    path = pathlib.Path(path)
    gone = path.with_name(f".{path.name}.partial")
    shutil.rmtree(gone, ignore_errors=True)
    if path.exists():
        os.rename(path, gone)
        writing.flush(path.parent)
        shutil.rmtree(gone)


def move_folder(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Renames a complete folder, which stays whole even after a power cut.

    Args:
        folder: The folder. Its content reaches the disk before the new name does.
        path: The new name, on the same file system.

    Raises:
        OSError: If `path` is a folder that has files in it.
    """
    writing.flush_tree(folder)
    os.rename(folder, path)
    writing.flush(path.parent)
