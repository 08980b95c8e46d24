"""Version directories as TF Serving reads them: `<directory>/<integer>`.

The server loads every directory with an integer name, complete or not. So a version is
written beside the directory and takes its number by one rename.
"""

import contextlib
import errno
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from tf_ctr import files
from tf_ctr.errors import explain
from tf_ctr.files import move_folder, read_sealed, write_sealed
from tf_ctr.files.leftovers import mark, remove_left

# The largest number that was ever removed: a server may still have it loaded.
LAST = ".last_version"

# Seconds to wait for the lock. A change takes milliseconds, or seconds where it removes
# old versions.
PATIENCE = 30.0


def check_directory(directory: pathlib.Path) -> None:
    """Raises unless `directory` can hold versions; it need not exist."""
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(
            explain(
                "a directory for the versions of a model",
                f"the file {directory}",
                "pass a directory, e.g. savedmodels/dcn",
            )
        )
    if (directory / "saved_model.pb").exists():
        raise ValueError(
            explain(
                "the directory that holds the versions of a model",
                f"{directory}, which is one version",
                f"pass its parent, {directory.parent}",
            )
        )


def version_numbers(directory: pathlib.Path) -> list[int]:
    """Returns the numbers of the versions in a directory, in no order."""
    names = [path.name for path in directory.iterdir()] if directory.exists() else []
    # "²" is a digit for Python, but neither for int() nor for the server.
    return [int(name) for name in names if name.isascii() and name.isdecimal()]


def with_versions(directory: str | os.PathLike) -> pathlib.Path:
    """Returns the directory of a model's versions as a path.

    Raises:
        ValueError: If it holds no version.
        NotADirectoryError: If it is a file.
    """
    directory = pathlib.Path(directory)
    check_directory(directory)
    if not version_numbers(directory):
        what = "has none" if directory.exists() else "does not exist"
        raise ValueError(
            explain(
                "a directory with versions of a model",
                f"{directory}, which {what}",
                "name the directory of a model, or export a model to it first",
            )
        )
    return directory


def next_version(directory: pathlib.Path) -> int:
    """Returns the largest version number plus one; 1 if there never was a version."""
    return 1 + max([*version_numbers(directory), _last_removed(directory)])


def remove_version(directory: pathlib.Path, version: int) -> None:
    """Removes a version; a server that polls the directory unloads it.

    Its number is not given again, because the server would not load the new version
    while it still has the old one.

    Args:
        directory: The directory of the versions, locked by the caller.
        version: The number of the version.
    """
    for gone in directory.glob(".removed-*"):  # Left by a process that was killed.
        shutil.rmtree(gone)
    keep_number(directory, version)
    # First under a name that no server reads, because the files go one by one.
    gone = directory / f".removed-{version}"
    (directory / str(version)).rename(gone)
    shutil.rmtree(gone)


def keep_number(directory: pathlib.Path, version: int) -> None:
    """Has no later version get a number, as a server may still have its version.

    Args:
        directory: The directory of the versions, locked by the caller.
        version: The number of the version.
    """
    if version > _last_removed(directory):
        write_sealed(directory / LAST, {"version": version})


def _last_removed(directory):
    file = directory / LAST
    if not file.exists():
        return 0
    fix = f"remove it if no server has had a version above {version_numbers(directory)}"
    # Version 0.2 wrote the bare number.
    last = read_sealed(file, "the largest number removed", fix, _is_number)
    return last if _is_number(last) else last["version"]


def _is_number(value):
    return isinstance(value, int)


@contextlib.contextmanager
def staging(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a new empty directory beside `directory`, and removes it at the end.

    `publish` moves a version out of it. The next call removes the leftover of a killed
    process.
    """
    # Resolved: behind a link, a rename must stay on the file system of its target.
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    before = f".{directory.name}.tmp-"
    remove_left(directory.parent, before)
    prefix = f"{before}{mark()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=directory.parent) as path:
        yield pathlib.Path(path)


def publish(staged: pathlib.Path, directory: pathlib.Path) -> pathlib.Path:
    """Renames a complete version to the next number, and returns its path.

    Two exports at the same time get two numbers.

    Args:
        staged: The version: a directory, not empty, on the same file system.
        directory: The directory of the versions; created if it is missing.
    """
    directory.mkdir(exist_ok=True)
    while True:
        version = directory / str(next_version(directory))
        try:
            move_folder(staged, version)
        except OSError as error:
            # Another export took this number between the look and the rename.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        else:
            return version


def locked(directory: pathlib.Path) -> contextlib.AbstractContextManager[None]:
    """Locks a directory of versions in its block: one change at a time.

    Args:
        directory: The directory of the versions.

    Raises:
        LockedError: If another process has the lock for half a minute. The lock of a
            process that was killed while it changed the directory is taken over.
    """
    return files.locked(directory, PATIENCE)
