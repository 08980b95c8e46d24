"""Names of half-written files, which say whose they are: the next run cleans up."""

import glob
import os
import pathlib
import platform
import shutil
import threading


def mark() -> str:
    """Returns the part of a temporary name that says which process and thread has it.

    Example:

    >>> mark().startswith(f"{os.getpid()}-")
    True
    """
    return f"{os.getpid()}-{threading.get_ident()}-{platform.node()}"


def remove_left(folder: pathlib.Path, before: str, after: str = "") -> None:
    """Removes what processes of this machine left that have ended.

    Args:
        folder: The folder that it is in.
        before: What its name has before the mark.
        after: What its name has after it.
    """
    pattern = f"{glob.escape(before)}*{glob.escape(after)}"
    for path in folder.glob(pattern):
        own = path.name.removeprefix(before).removesuffix(after)
        if _has_ended(own):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _has_ended(own):
    """Whether a mark is of a process that ended here; others may still be writing."""
    process, _, rest = own.partition("-")
    node = rest.partition("-")[2]
    if not process.isdecimal() or not node.startswith(platform.node()):
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # It runs, as another user.
        return False
    return False
