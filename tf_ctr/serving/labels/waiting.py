"""Waiting for a server, with a progress line, and taking back what it cannot follow."""

import pathlib
import sys
import time
from collections.abc import Callable

from tf_ctr.errors import explain
from tf_ctr.serving.labels.moves import Move, undo
from tf_ctr.serving.labels.server import AVAILABLE, END, Loaded, Server


def wait_until_available(server: Server, version: int, wait: float = 0.0) -> None:
    """Returns once a server has loaded a version.

    Args:
        server: The server.
        version: The version.
        wait: Seconds to wait; 0 looks once.

    Raises:
        RuntimeError: If the server could not load the version, with its reason.
        TimeoutError: If the version is still not loaded.
    """

    def look():
        found = server.versions().get(version, Loaded("not seen yet"))
        if found.state == END and found.message:
            raise RuntimeError(_not_loaded(server, version, str(found)))
        return found.state == AVAILABLE, str(found)

    done, found = wait_for(f"version {version} to be loaded", look, wait)
    if not done:
        raise TimeoutError(_not_loaded(server, version, found))


def follow(
    directory: pathlib.Path, done: Move, server: Server, label: str, wait: float
) -> None:
    """Returns once the server has moved a label; undoes the move if it does not.

    Args:
        directory: The directory of the versions.
        done: The move in the files.
        server: The server.
        label: The label.
        wait: Seconds to wait.

    Raises:
        TimeoutError: If the server does not move the label in time.
        RuntimeError: If it cannot load the version any more.
    """
    version = done.after.labels[label]

    def look():
        current = server.version_of(label)
        return current == version, f"{label} is at {current}"

    try:
        moved, found = wait_for(f"{label} to be version {version}", look, wait)
        if moved:
            return
        state = server.versions().get(version, Loaded("not seen"))
        raise TimeoutError(
            explain(
                f"{label} to be version {version} at {server.address}",
                f"{found} after {wait:.0f} s; version {version} is {state}",
                "the label was moved back; look whether the server polls "
                "models.config (--model_config_file_poll_wait_seconds), and at its log",
            )
        )
    except BaseException:
        undo(directory, done)
        raise


def wait_for(
    event: str, look: Callable[[], tuple[bool, str]], wait: float
) -> tuple[bool, str]:
    """Looks once a second until something has happened, with a progress line.

    Args:
        event: What is waited for.
        look: Returns whether it has happened, and what is the case instead.
        wait: Seconds to wait; 0 looks once.

    Returns:
        What `look` returned last.
    """
    start = time.monotonic()
    shown = False
    while True:
        try:
            result = look()
        except (ConnectionError, TimeoutError) as error:
            if wait <= 0:
                raise
            result = False, str(error).splitlines()[0]  # It may be restarting.
        elapsed = time.monotonic() - start
        if result[0] or elapsed >= wait:
            if shown:
                print(file=sys.stderr)
            return result
        line = f"Waiting for {event}: {elapsed:.0f} of {wait:.0f} s, {result[1]}"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        shown = True
        time.sleep(1.0)


def _not_loaded(server, version, found):
    return explain(
        f"version {version} of {server.model} to be loaded at {server.address}",
        found,
        "wait longer; if the server says why it cannot load the version, export it "
        "again, or promote another one",
    )
