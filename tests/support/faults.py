"""Kills, power cuts, full disks and refused permissions, at any change of the disk.

In its block, `Faults` counts the calls that change files below a folder, and has the
n-th one go wrong. Python's own calls are patched: `os.rename`, `os.replace`,
`os.unlink`, `os.rmdir`, `os.mkdir`, `os.fsync`, and `open` for writing. What C code
writes in between is on the disk as it is at that moment.

After a kill nothing more happens to the disk: no `finally` cleans up, and the locks of
the process are gone. After a power cut, only what was flushed is left of that: see
`disk_after_a_power_cut`.
"""

import builtins
import errno
import fcntl
import io
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from tf_ctr.files import locks

CALLS = ("rename", "replace", "unlink", "remove", "rmdir", "mkdir", "fsync")
ERRORS = {"full": errno.ENOSPC, "denied": errno.EACCES}
NO_PROCESS = 2**22 + 1  # Larger than any number that Linux gives.
Fault = Literal["kill", "torn", "interrupt", "full", "denied"]


# Their generators would go on, and release locks, if they were collected as garbage.
_ended: list[BaseException | None] = []


class KilledError(BaseException):
    """Stands for the end of the process; nothing catches it."""


class Faults:
    """Has one change of the disk go wrong.

    Args:
        root: The folder whose changes count.
        at: The number of the call, from 0; `None` only counts.
        fault: `"kill"` ends the process before the call; `"torn"` too, and leaves half
            of the file that was written last. `"interrupt"` is Ctrl-C. `"full"` and
            `"denied"` are errors of the call.
        kinds: The names of the calls that count; `"open"` is an opening for writing.

    Attributes:
        calls: The names of the calls so far, and of the paths.
    """

    def __init__(
        self,
        root: pathlib.Path,
        at: int | None = None,
        fault: Fault = "kill",
        kinds: tuple[str, ...] = (*CALLS, "open"),
    ) -> None:
        self.root, self.at, self.fault, self.kinds = root.resolve(), at, fault, kinds
        self.calls: list[tuple[str, pathlib.Path]] = []
        self.disk = _Flushed(self.root)
        self._dead = False
        self._locks: list[int] = []
        self._written: pathlib.Path | None = None

    def __enter__(self) -> "Faults":
        self._saved: list[tuple[Any, str, Any]] = []
        for name in CALLS:
            self._patch(os, name, self._counted(name, getattr(os, name)))
        opens = self._opened(io.open)
        for module in (io, builtins):
            self._patch(module, "open", opens)
        self._patch(fcntl, "flock", self._noted(fcntl.flock))
        # One that no process has, so that what it leaves is known to be left.
        self._patch(os, "getpid", lambda: NO_PROCESS)
        return self

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        for module, name, real in self._saved:
            setattr(module, name, real)
        if self._dead:  # The system closes the files of a process that ended.
            for descriptor in self._locks:
                try:
                    os.close(descriptor)
                except OSError:
                    pass
            locks._held.clear()
            _ended.append(error)

    def _patch(self, module, name, function):
        self._saved.append((module, name, getattr(module, name)))
        setattr(module, name, function)

    def _counted(self, name, real):
        def call(path, *arguments, **named):
            if not self._below(path, named):
                return real(path, *arguments, **named)
            self._count(name, path, named)
            result = real(path, *arguments, **named)
            if name == "fsync":
                self.disk.flushed(path)
            return result

        return call

    def _opened(self, real):
        def call(path, mode="r", *arguments, **named):
            if set(mode) & set("wax+") and self._below(path, named):
                self._count("open", path, named)
                self._written = pathlib.Path(path)
            return real(path, mode, *arguments, **named)

        return call

    def _noted(self, real):
        def call(descriptor, operation):
            real(descriptor, operation)
            self._locks.append(descriptor)

        return call

    def _count(self, name, path, named):
        if self._dead:
            raise KilledError
        if name not in self.kinds:
            return
        self.calls.append((name, _resolved(path, named)))
        if len(self.calls) - 1 != self.at:
            return
        if self.fault in ERRORS:
            number = ERRORS[self.fault]
            raise OSError(number, os.strerror(number), str(path))
        if self.fault == "interrupt":
            raise KeyboardInterrupt
        if self.fault == "torn" and self._written and self._written.is_file():
            os.truncate(self._written, self._written.stat().st_size // 2)
        self._dead = True
        raise KilledError

    def _below(self, path, named):
        try:
            return self.root in (
                _resolved(path, named),
                *_resolved(path, named).parents,
            )
        except (OSError, TypeError, ValueError):
            return False


def _resolved(path, named):
    """The path of a call, which may be a descriptor, or relative to one."""
    if isinstance(path, int):
        return pathlib.Path(os.readlink(f"/proc/self/fd/{path}"))
    folder = named.get("dir_fd", named.get("src_dir_fd"))
    if folder is not None:
        return pathlib.Path(os.readlink(f"/proc/self/fd/{folder}"), os.fspath(path))
    return pathlib.Path(os.path.abspath(os.fspath(path)))


class _Flushed:
    """What was flushed of a folder: contents by file, names by folder.

    Descriptors are kept open, so that no number of a file is given to another one.
    """

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.contents: dict[int, bytes] = {}
        self.names: dict[int, dict[str, int]] = {}
        self._open: dict[int, int] = {}
        for path in [root, *root.rglob("*")] if root.exists() else []:
            self._keep(path)

    def flushed(self, descriptor: int) -> None:
        """Notes that a file or a folder was flushed."""
        self._keep(pathlib.Path(os.readlink(f"/proc/self/fd/{descriptor}")))

    def _keep(self, path):
        number = path.stat().st_ino
        self._open.setdefault(number, os.open(path, os.O_RDONLY))
        if path.is_dir():
            self.names[number] = {each.name: each.inode() for each in os.scandir(path)}
            for each in path.iterdir():
                inode = each.stat().st_ino
                self._open.setdefault(inode, os.open(each, os.O_RDONLY))
        else:
            self.contents[number] = path.read_bytes()

    def close(self) -> None:
        """Closes the descriptors."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()


def disk_after_a_power_cut(
    faults: Faults, target: pathlib.Path, names_first: bool
) -> None:
    """Writes what a power cut leaves of the folder of `faults`.

    A file system may write names and contents in any order, but for `fsync`: that of a
    file keeps its content, that of a folder the names in it.

    Args:
        faults: The block that ended.
        target: A new folder.
        names_first: Whether all names were written, also of files whose content was
            not: these are empty. Otherwise only names that were flushed.
    """
    disk = faults.disk
    if names_first:
        shutil.copytree(faults.root, target)
        for path in faults.root.rglob("*"):
            if path.is_file():
                content = disk.contents.get(path.stat().st_ino, b"")
                (target / path.relative_to(faults.root)).write_bytes(content)
        return
    _write(disk, faults.root.stat().st_ino, target)


def _write(disk, number, target):
    target.mkdir()
    for name, inode in disk.names.get(number, {}).items():
        if inode in disk.names or os.path.isdir(f"/proc/self/fd/{disk._open[inode]}"):
            _write(disk, inode, target / name)
        else:
            (target / name).write_bytes(disk.contents.get(inode, b""))


def points(
    prepare: Callable[[], pathlib.Path],
    program: Callable[[pathlib.Path], Any],
    fault: Fault = "kill",
    chosen: Iterable[int] | None = None,
) -> Iterator[tuple[int, Faults, BaseException | None]]:
    """Runs a program once for each change of the disk, which goes wrong.

    Args:
        prepare: Makes a new folder as it is before the program.
        program: Changes the folder.
        fault: What goes wrong.
        chosen: The numbers of the changes; `None` for all.

    Yields:
        The number of the change, the block that ended, and what the program raised.
    """
    with Faults(prepare()) as counting:
        program(counting.root)
    counting.disk.close()
    assert counting.calls
    numbers = range(len(counting.calls)) if chosen is None else chosen
    for number in numbers:
        folder, raised = prepare(), None
        try:
            with Faults(folder, number, fault) as faults:
                program(folder)
        except (KilledError, KeyboardInterrupt, Exception) as error:
            raised = error
        yield number, faults, raised
        faults.disk.close()
