"""Version directories as TF Serving reads them: `<directory>/<integer>`.

The server picks up whatever has an integer name, complete or not. So a version is
written beside the directory and takes its number by one rename.
"""

import contextlib
import errno
import os
import pathlib
import platform
import tempfile
import time

from tf_ctr.errors import explain
from tf_ctr.files import move_folder

FILE = ".lock"

# Changes take milliseconds, and seconds where old versions are removed.
PATIENCE = 30.0


def check_directory(directory):
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
                f"pass its parent {directory.parent}; the next number is found",
            )
        )


def next_version(directory):
    """Returns the largest integer name in `directory` plus one; 1 if there is none."""
    if not directory.exists():
        return 1
    names = [path.name for path in directory.iterdir()]
    return 1 + max((int(n) for n in names if n.isascii() and n.isdecimal()), default=0)


@contextlib.contextmanager
def staging(directory):
    """Gives a new empty directory beside `directory`, removed whatever happens.

    Publish out of it what is to stay.
    """
    # Resolved, so that a link's staging lies on the file system of its target.
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{directory.name}.tmp-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=directory.parent) as path:
        yield pathlib.Path(path)


def publish(staged, directory):
    """Renames the complete version `staged` to the next number of `directory`.

    Args:
        staged: A directory, not empty, on the same file system.
        directory: The directory of the versions; created if missing.

    Returns:
        The path of the version. Two exports at once get two numbers.
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


@contextlib.contextmanager
def locked(directory):
    """Keeps all others that call this from changing a directory, in its block.

    The lock is a file that is made only where there is none: that works on file
    systems of a network too, which `flock` does not.

    Args:
        directory: `pathlib.Path` of the directory of the versions.

    Raises:
        TimeoutError: If another one has the lock for half a minute. A process that was
            killed in the midst of a change leaves it behind.
    """
    file = directory / FILE
    opened = _made(file, time.monotonic() + PATIENCE)
    try:
        with opened:
            opened.write(f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        file.unlink(missing_ok=True)


def _made(file, end):
    while True:
        try:
            return file.open("x", encoding="utf-8")
        except FileExistsError:
            if time.monotonic() >= end:
                raise _timeout(file) from None
        time.sleep(0.02)


def _timeout(file):
    try:
        holder = file.read_text(encoding="utf-8") or "no process that gave its name"
    except OSError:
        holder = "a process that has just ended"
    return TimeoutError(
        explain(
            f"no other change of {file.parent} at the same time",
            f"the lock {file}, made by {holder}",
            "try again; if that process was killed, remove the file",
        )
    )
