"""Starts the workers of one run on this machine, and waits for them."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

# A worker is not to spin on a core that another one needs.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def free_ports(count: int) -> list[int]:
    """Returns ports of this machine that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def addresses(count: int, host: str = "127.0.0.1") -> list[str]:
    """Returns free addresses for workers on this machine."""
    return [f"{host}:{port}" for port in free_ports(count)]


def start(
    arguments: Sequence[str],
    workers: Sequence[str],
    index: int,
    log: pathlib.Path,
    environment: dict[str, str] | None = None,
) -> subprocess.Popen:
    """Starts one worker.

    Args:
        arguments: What follows `python`.
        workers: The addresses of all workers; none starts a process by itself.
        index: Which of them this is.
        log: The file that gets what the worker prints, at its end.
        environment: Further environment variables.
    """
    task = {"type": "worker", "index": index}
    config = {"cluster": {"worker": list(workers)}, "task": task} if workers else {}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-u", *arguments],
            env={
                **os.environ,
                **QUIET,
                "TF_CONFIG": json.dumps(config),
                **(environment or {}),
            },
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def wait(processes: Sequence[subprocess.Popen], seconds: float) -> list[int | None]:
    """Waits for processes, and kills those that take longer.

    Returns:
        Their exit codes; `None` for one that was killed here.
    """
    end = time.monotonic() + seconds
    codes: list[int | None] = []
    for process in processes:
        try:
            codes.append(process.wait(max(0.0, end - time.monotonic())))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            codes.append(None)
    return codes
