"""Runs what came from others in a process with limits of memory and time."""

import contextlib
import os
import pathlib
import resource
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tf_ctr.errors import explain


class Limits(NamedTuple):
    """What a process may use.

    Attributes:
        bytes: Memory that it may ask for.
        seconds: Seconds that it may take, and CPU seconds for each core.
    """

    bytes: int = 16 * 2**30
    seconds: float = 300.0

    @property
    def memory(self) -> int:
        """`bytes`, or most of the memory that this machine has free, if that is less.

        Without a limit the machine would end other processes before this one.
        """
        return min(self.bytes, int(0.8 * free_memory()))

    @property
    def cpu_seconds(self) -> int:
        """The CPU seconds of all threads together."""
        return int(self.seconds * (os.cpu_count() or 1)) + 1


LIMITS = Limits()

# Where the system does not say how much memory is free.
UNKNOWN = 2**62


def limits_of(version: str | os.PathLike) -> Limits:
    """Returns `LIMITS`, with memory for what lies in the files of a version, too.

    Args:
        version: A version directory. Its ids take up to eight times as much in a lookup
            table as in a file.
    """
    files = (path for path in pathlib.Path(version).rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files)
    return LIMITS._replace(bytes=LIMITS.bytes + 8 * size)


def run_limited(
    command: Sequence[str | os.PathLike],
    what: str,
    limits: Limits | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess:
    """Runs a program in a new, empty working directory, which is removed afterwards.

    Args:
        command: The program with its arguments; paths must be absolute.
        what: What it runs, for the error.
        limits: Its limits; `LIMITS` for `None`.
        env: Its environment; that of this process for `None`.

    Returns:
        The ended process with `stdout` and `stderr` as text, at most a MiB of each;
        its exit status may be any.

    Raises:
        ValueError: If it took too long. The message says how to run it all the same.
    """
    limits = LIMITS if limits is None else limits
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=env,
            start_new_session=True,
            preexec_fn=_limit(limits),
        )
        try:
            status = process.wait(limits.seconds)
        except subprocess.TimeoutExpired as error:
            raise ValueError(
                explain(
                    f"{what} to run in {limits.seconds:g} seconds",
                    "it is still running, and was stopped",
                    "do not run it; if you trust those who wrote it, run it with "
                    "--trust (trust=True)",
                )
            ) from error
        finally:
            process.kill()
            process.wait()
        return subprocess.CompletedProcess(
            list(map(str, command)), status, _text(out), _text(err)
        )


def free_memory() -> int:
    """Returns the bytes that processes can still use here: this machine's, from Linux.

    A container's own limit counts, too. Sources: Linux, `filesystems/proc.rst`
    (`MemAvailable`) and `admin-guide/cgroup-v2.rst` (`memory.max`, `memory.current`).
    """
    found = [UNKNOWN]
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    with contextlib.suppress(OSError, ValueError):  # "max" is no limit.
        group = pathlib.Path("/sys/fs/cgroup")
        most, used = (group / f"memory.{name}" for name in ("max", "current"))
        found.append(int(most.read_text()) - int(used.read_text()))
    return max(min(found), 0)


def _limit(limits: Limits) -> Callable[[], None]:
    # Outside of the new process, where little may be called.
    values = (
        (resource.RLIMIT_DATA, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_CORE, 0),
    )

    def limit() -> None:
        for name, value in values:
            most = resource.getrlimit(name)[1]
            if most != resource.RLIM_INFINITY:
                value = min(value, most)
            resource.setrlimit(name, (value, value))

    return limit


def _text(file):
    file.seek(0, os.SEEK_END)
    file.seek(max(file.tell() - 2**20, 0))
    return file.read().decode(errors="replace")
