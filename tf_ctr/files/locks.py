"""One process changes a folder at a time; the lock says which one.

The lock is `flock` on the file `.lock` in the folder, which names its holder. The
operating system releases it when the holder ends, however it ends: a file that is left
behind blocks nobody. Readers take no lock.

On NFS, Linux makes `flock` a lock on the server, for all machines, since 2.6.12
(flock(2)). A mount with `nolock` or `local_lock=flock` locks for one machine only.
Where a file system has no locks, a warning says so, and the folder is not locked.
"""

import contextlib
import dataclasses
import datetime
import errno
import fcntl
import json
import os
import pathlib
import platform
import threading
import time
import warnings
from collections.abc import Iterator

from tf_ctr.errors import explain

FILE = ".lock"
WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@dataclasses.dataclass
class _Held:
    """A lock that a thread of this process has, and how many blocks hold it."""

    descriptor: int | None
    blocks: int = 1


# `{(folder, thread): lock}` in this process.
_held: dict[tuple[str, int], _Held] = {}


class LockedError(TimeoutError):
    """Another process is changing the folder."""


@contextlib.contextmanager
def locked(folder: str | os.PathLike, patience: float = 0.0) -> Iterator[None]:
    """Locks a folder against changes by other processes and threads, in its block.

    In one thread, blocks may be nested. A lock that a killed process left is taken
    over, which a line says.

    Args:
        folder: The folder; created if it is missing.
        patience: Seconds to wait for another process.

    Raises:
        LockedError: If another process or thread has the lock for longer.
        PermissionError: If this user may not write to the folder.

    Example:

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with locked(folder), locked(folder):
    ...     os.listdir(folder)
    ['.lock']
    >>> os.listdir(folder)
    []
    """
    folder = pathlib.Path(folder)
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    key = (str(folder.resolve()), threading.get_ident())
    if key in _held:
        _held[key].blocks += 1
    else:
        _held[key] = _Held(_acquired(folder / FILE, patience))
    try:
        yield
    finally:
        # Blocks of callbacks may end in any order, so the last one releases the lock.
        held = _held[key]
        held.blocks -= 1
        if not held.blocks:
            del _held[key]
            if held.descriptor is not None:
                # Before the lock goes: afterwards it may be another process's file.
                (folder / FILE).unlink(missing_ok=True)
                os.close(held.descriptor)


def _acquired(file, patience):
    """The descriptor of the lock; `None` on a file system without locks."""
    end = time.monotonic() + patience
    while True:
        with _explained(file.parent):
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Not the lock, if its holder removed the file after it was opened here.
            if _is_named(file, descriptor):
                _sign(file, descriptor)
                return descriptor
        except BlockingIOError:
            if time.monotonic() >= end:
                os.close(descriptor)
                raise _refusal(file) from None
            time.sleep(0.02)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in WITHOUT_LOCKS:
                raise
            warnings.warn(
                f"{file.parent} is on a file system without locks ({error.strerror}): "
                "let only one process write to it.",
                stacklevel=4,
            )
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


@contextlib.contextmanager
def _explained(folder):
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise PermissionError(
            explain(
                "a folder that this user may write to",
                f"{folder} ({error.strerror})",
                "run this as its owner, or on a copy of the folder",
            )
        ) from error


def _is_named(file, descriptor):
    try:
        return os.path.samestat(os.stat(file), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sign(file, descriptor):
    if os.fstat(descriptor).st_size:
        left = _holder(file)
        print(f"The lock of {file.parent} is taken over: {left} left it and has ended.")
    values = {
        "process": os.getpid(),
        "host": platform.node(),
        "started": _iso(_process_start()),
        "since": _iso(time.time()),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(values).encode(), 0)


def _refusal(file):
    return LockedError(
        explain(
            f"no other process to change {file.parent} at the same time",
            f"the lock {file}, held by {_holder(file)}",
            "wait until it ends, or use another folder; the lock goes with its process",
        )
    )


def _holder(file):
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return "another process, which has just ended"
    try:
        values = json.loads(text)
        return (
            f"another process, {values['process']} on {values['host']} (started "
            f"{values['started']}), since {values['since']}"
        )
    except (ValueError, LookupError, TypeError):  # Of 0.2, or not written yet.
        return text.strip() or "another process, whose name is still being written"


def _process_start():
    """Seconds since 1970 at which this process started.

    Source: proc_pid_stat(5), field 22, in clock ticks since the system started.
    """
    fields = pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf(
        "SC_CLK_TCK"
    )
    return time.time() - age


def _iso(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="seconds")
