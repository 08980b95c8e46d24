"""Lets the workers meet before TensorFlow starts, which would wait for them forever.

Each worker tells the chief what it is about to do, and the chief tells everyone when
all are there. They talk over the addresses that TensorFlow takes afterwards: a port in
use, a worker that is missing, and one that was started with something else are found
within a stated time, and by name.
"""

import contextlib
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

from tf_ctr.errors import explain
from tf_ctr.training.cluster import Cluster

# Seconds to wait for one message, between two attempts, and until a line says so.
MESSAGE, PAUSE, QUIET = 2.0, 0.2, 5.0
LONGEST = 1_000_000


class LostWorkerError(RuntimeError):
    """Another worker did not start, or has ended, so that this one cannot go on."""


def meet(
    cluster: Cluster, values: Mapping[str, str], start_within: float
) -> list[dict[str, str]]:
    """Waits until all workers are there; returns what each of them says.

    Args:
        cluster: The workers.
        values: What this worker says.
        start_within: Seconds to wait.

    Returns:
        The values of all workers, in their order.

    Raises:
        LostWorkerError: If they are not all there in time.
        OSError: If the port of this worker is in use.
    """
    end = time.monotonic() + start_within
    port = int(cluster.addresses[cluster.index].rpartition(":")[2])
    with _listening(port, cluster) as server:
        if cluster.index == 0:
            return _gather(server, cluster, dict(values), end, start_within)
    return _report(cluster, dict(values), end, start_within)


def _listening(port, cluster):
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
            )
        return socket.create_server(("", port), backlog=1024)
    except OSError as error:
        raise OSError(
            error.errno,
            explain(
                f"to listen on the port of {cluster.named(cluster.index)}",
                error.strerror or str(error),
                "end the process that has the port, or put another one into the "
                "TF_CONFIG of all workers",
            ),
        ) from error


def _gather(server, cluster, own, end, start_within):
    """The chief: takes a message from each worker, then sends all to all."""
    said: dict[int, Any] = {0: own}
    with contextlib.ExitStack() as open_ones:
        connections: dict[int, socket.socket] = {}
        tell = _Patience()
        while len(said) < cluster.count and time.monotonic() < end:
            missing = [i for i in range(cluster.count) if i not in said]
            tell(f"Waiting for {_names(cluster, missing)}.")
            server.settimeout(PAUSE)
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                connection = open_ones.enter_context(server.accept()[0])
                message = _read(connection)
                # Others may knock here: a health check, or a worker of another run.
                if message["addresses"] == list(cluster.addresses):
                    index = range(cluster.count)[message["index"]]
                    connections[index], said[index] = connection, message["values"]
        missing = [i for i in range(cluster.count) if i not in said]
        reply = {
            "missing": missing,
            "values": [said.get(i) for i in range(cluster.count)],
        }
        for connection in connections.values():
            with contextlib.suppress(OSError):  # TensorFlow finds out who has ended.
                connection.sendall(json.dumps(reply).encode() + b"\n")
    if missing:
        raise _missing(cluster, missing, start_within)
    return reply["values"]


def _report(cluster, own, end, start_within):
    """A worker: sends its message until the chief answers with those of all."""
    host, _, port = cluster.addresses[0].rpartition(":")
    message = {
        "addresses": cluster.addresses,
        "index": cluster.index,
        "values": own,
    }
    tell = _Patience()
    while (left := end - time.monotonic()) > 0:
        tell(f"Waiting for {cluster.named(0)}.")
        # Until the chief is there, or while it still trains an earlier run.
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            with socket.create_connection((host.strip("[]"), int(port)), MESSAGE) as to:
                to.sendall(json.dumps(message).encode() + b"\n")
                reply = _read(to, left + MESSAGE)
            missing, values = reply["missing"], reply["values"]
            if missing:
                raise _missing(cluster, missing, start_within)
            return values
        time.sleep(PAUSE)
    raise _missing(cluster, [0], start_within)


def _read(connection, seconds=MESSAGE):
    connection.settimeout(seconds)
    with connection.makefile("rb") as file:
        return json.loads(file.readline(LONGEST))


def _missing(cluster, missing, start_within):
    return LostWorkerError(
        explain(
            f"all {cluster.count} workers to start within {start_within:g} s",
            f"no message from {_names(cluster, missing)}",
            "look at the log of that worker, whether the others reach its address, and "
            "whether all have the same TF_CONFIG; or raise start_within of workers()",
        )
    )


def _names(cluster, indices):
    shown = [cluster.named(i) for i in indices[:5]]
    more = len(indices) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


class _Patience:
    """Prints a line once, if it is still true after some seconds."""

    def __init__(self) -> None:
        self._from = time.monotonic() + QUIET

    def __call__(self, line: str) -> None:
        if time.monotonic() > self._from:
            print(line, flush=True)
            self._from = float("inf")
