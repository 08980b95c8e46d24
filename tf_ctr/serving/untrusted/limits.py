"""Runs what came from others in a process with limits of memory and time."""

import contextlib
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tf_ctr.errors import explain


class Limits(NamedTuple):
    """What a process may use.

    Attributes:
        bytes: Memory that it may ask for, with that of TensorFlow itself.
        seconds: Seconds that it may take, and CPU seconds for each core.
    """

    bytes: int = 16 * 2**30
    seconds: float = 300.0


LIMITS = Limits()


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


def interpreter() -> list[str]:
    """Returns the command of a Python that imports what this one does."""
    return [sys.executable, "-P"]


def environment() -> dict[str, str]:
    """Returns the variables of a process that can import tf_ctr and has no GPU."""
    root = str(pathlib.Path(__file__).parents[3])
    paths = [root, os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _limit(limits: Limits) -> Callable[[], None]:
    # Outside of the new process, where little may be called.
    seconds = int(limits.seconds * (os.cpu_count() or 1)) + 1
    values = (
        (resource.RLIMIT_DATA, limits.bytes),
        (resource.RLIMIT_CPU, seconds),
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
