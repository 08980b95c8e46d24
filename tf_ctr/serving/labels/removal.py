"""Removal of versions that no label and no server needs."""

import os
import pathlib
from typing import NamedTuple

from tf_ctr.errors import explain
from tf_ctr.serving.labels.history import (
    Record,
    record,
    seconds_without_label,
    version_before,
)
from tf_ctr.serving.labels.models_config import STABLE
from tf_ctr.serving.labels.moves import Files, read_files, settled, write_files
from tf_ctr.serving.labels.server import Server
from tf_ctr.serving.labels.versions import (
    locked,
    remove_version,
    version_numbers,
    with_versions,
)
from tf_ctr.serving.labels.waiting import wait_for

# Seconds after which a server has certainly read `models.config` again: the commands of
# 0.2 have it poll every 60, those of today every 10. Only where no server is asked.
GRACE = 600.0


class Drop(NamedTuple):
    """The result of `drop`.

    Attributes:
        version: The version.
        labels: The labels that it lost.
        removed: Whether it is gone from the disk.
        reason: Why it is not.
    """

    version: int
    labels: list[str]
    removed: bool
    reason: str = ""

    def __str__(self) -> str:
        lines = [f"{label}: moved to the stable version" for label in self.labels]
        if self.removed:
            return "\n".join([*lines, f"removed from the disk: {self.version}"])
        return "\n".join([*lines, f"version {self.version} stays: {self.reason}"])


def drop(
    directory: str | os.PathLike,
    version: int,
    server: Server | None = None,
    wait: float = 0.0,
) -> Drop:
    """Removes a version, after its labels have moved to the stable version.

    A server that still has the old labels would answer "not found" to them. So
    the version goes once the server says that no label has it. Without a server it goes
    if it lost its last label ten minutes ago; else call again later.

    Args:
        directory: The directory of the versions.
        version: The version, which must not be stable.
        server: The server to ask.
        wait: Seconds to wait for the server.

    Raises:
        ValueError: If there is no such version, or it is the stable one.
        ConnectionError: If the server does not answer.
        TimeoutError: If other processes keep the directory locked.
    """
    directory = with_versions(directory)
    with locked(directory):
        before = read_files(directory)
        stable = before.labels.get(STABLE)
        there = version_numbers(directory)
        if version not in there or version == stable or stable is None:
            raise ValueError(
                explain(
                    f"one of the versions {sorted(set(there) - {stable})} of "
                    f"{directory}, which are not stable",
                    f"version {version}; stable is {stable}",
                    "name another version, or promote one or roll back first",
                )
            )
        labels = {
            label: stable if number == version else number
            for label, number in before.labels.items()
        }
        lost = [label for label, n in before.labels.items() if n == version]
        pending = {
            label: number
            for label, number in before.pending.items()
            if number != version
        }
        after = settled(directory, labels, pending, server)
        if after != (before.labels, before.pending):
            entries = [record(each, version, stable) for each in lost]
            write_files(directory, before, *after, *entries)
    if server is None:
        free, reason = _free_by_time(read_files(directory).history, version)
    else:
        names = _label_names(before)

        def look():
            users = _labels_on(server, names, version)
            return not users, f"the server's labels {users} have it"

        free, reason = wait_for(f"version {version} to lose its labels", look, wait)
    with locked(directory):
        if free and version in read_files(directory).labels.values():
            free, reason = False, "it got a label in the meantime"
        if free:
            remove_version(directory, version)
    return Drop(version, lost, free, "" if free else reason)


def remove_old(
    directory: pathlib.Path, keep: int, server: Server | None = None
) -> list[int]:
    """Removes versions below the stable one, under the lock; returns their numbers.

    Those with a label stay, those that wait for one, and the last `keep` versions that
    were stable. Without a server, so do the version that was stable before, and all
    that lost a label within ten minutes: the server may not have read the file yet.

    Args:
        directory: The directory of the versions.
        keep: How many versions that are or were stable stay, the newest first.
        server: The server to ask which versions its labels have.
    """
    files = read_files(directory)
    kept = {*files.labels.values(), *files.pending.values()}
    stable = files.labels.get(STABLE, 0)
    version: int | None = stable
    for _ in range(keep if server is not None else max(keep, 2)):
        if version is not None:
            kept.add(version)
            version = version_before(files.history, STABLE, version)
    if server is not None:
        kept |= {server.version_of(each) or 0 for each in _label_names(files)}
    removed = []
    for each in sorted(set(version_numbers(directory)) - kept):
        free = server is not None or _free_by_time(files.history, each)[0]
        if each < stable and free:
            remove_version(directory, each)
            removed.append(each)
    return removed


def _free_by_time(history: list[Record], version: int) -> tuple[bool, str]:
    # Less than none, if the clock was set back.
    seconds = max(seconds_without_label(history, version), 0.0)
    reason = (
        f"it had a label {seconds:.0f} s ago, which a server may still use; try again "
        f"{GRACE:.0f} s after, or with --server"
    )
    return seconds >= GRACE, reason


def _label_names(files: Files) -> set[str]:
    """All labels that a server may know."""
    recorded = {each["label"] for each in files.history}
    return {*files.labels, *files.pending, *recorded}


def _labels_on(server: Server, names: set[str], version: int) -> list[str]:
    return [name for name in sorted(names) if server.version_of(name) == version]
