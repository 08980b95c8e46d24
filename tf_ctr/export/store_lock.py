"""One change of a model's directory at a time, whichever process makes it."""

import contextlib
import os
import platform
import time

from tf_ctr.errors import explain

FILE = ".lock"
# Changes take milliseconds, and seconds where old versions are removed.
PATIENCE = 30.0


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
