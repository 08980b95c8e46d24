"""Moves of labels in the files that keep them, such that a server can follow."""

import pathlib
from typing import NamedTuple

from tf_ctr.errors import explain
from tf_ctr.serving.labels.history import Record, read_history, record, write_history
from tf_ctr.serving.labels.models_config import (
    CANARY,
    STABLE,
    read_labels,
    write_labels,
)
from tf_ctr.serving.labels.pending import read_pending, write_pending
from tf_ctr.serving.labels.server import AVAILABLE, Server
from tf_ctr.serving.labels.versions import locked, next_version, version_numbers


class Files(NamedTuple):
    """What the files of a model say.

    Attributes:
        labels: `{label: version}` of `models.config`.
        pending: `{label: version}` of the labels that wait for a server.
        history: The records of `promotions.json`.
    """

    labels: dict[str, int]
    pending: dict[str, int]
    history: list[Record]

    def version_of(self, label: str) -> int | None:
        """Returns the version that a label has, or waits for."""
        return self.pending.get(label, self.labels.get(label))


class Move(NamedTuple):
    """A change of the files, to be undone if the server cannot follow."""

    before: Files
    after: Files


def read_files(directory: pathlib.Path) -> Files:
    """Returns what the files of a model say.

    Raises:
        ValueError: If one of them is damaged.
    """
    return Files(
        read_labels(directory), read_pending(directory), read_history(directory)
    )


def label_newest(directory: pathlib.Path) -> None:
    """Makes the newest version the canary, once a server has it; call under the lock.

    Where there is no stable version yet, it takes both labels at once: a server takes
    a label that is new to it, whatever it has loaded.
    """
    newest = next_version(directory) - 1
    labels, pending = read_labels(directory), read_pending(directory)
    if STABLE in labels:
        pending[CANARY] = newest
    else:
        labels = {CANARY: newest, **labels, STABLE: newest}
    write_pending(directory, pending)
    write_labels(directory, labels)


def move(
    directory: pathlib.Path,
    seen: Files,
    label: str,
    version: int,
    entry: Record,
    server: Server | None = None,
) -> Move:
    """Moves a label in the files, or changes none; call it under the lock.

    Without a server, only `stable` moves in `models.config`, since one label cannot
    hold up another; any other label waits. `canary` follows a promotion that overtakes
    it, and leaves a version with `stable` that is rolled back.

    A process that is killed in between leaves one record too many. It does no harm:
    `version_before` looks for the version that has the label.

    Args:
        directory: The directory of the versions.
        seen: The files that the decision was based on.
        label: The label that moves.
        version: The version that gets the label.
        entry: The record of the move, by `history.record`.
        server: The server, which decides which labels wait.

    Raises:
        RuntimeError: If the label, or `stable`, moved since it was seen.
    """
    before = read_files(directory)
    for each in (STABLE, label):
        if before.version_of(each) != seen.version_of(each):
            raise RuntimeError(
                explain(
                    f"{each} to stay at version {seen.version_of(each)} in the "
                    "meantime",
                    f"{each} at {before.version_of(each)}, moved by someone else",
                    "try again, with the version that is there now",
                )
            )
    labels, pending = dict(before.labels), dict(before.pending)
    if label == STABLE:
        labels[STABLE] = version
        pending.pop(STABLE, None)
        left = entry["from"] if entry["measures"] is None else None
        for found in (labels, pending):
            if CANARY in found and (found[CANARY] == left or found[CANARY] < version):
                found[CANARY] = version
    else:
        pending[label] = version
    after = settled(directory, labels, pending, server)
    return write_files(directory, before, *after, entry)


def settled(
    directory: pathlib.Path,
    labels: dict[str, int],
    pending: dict[str, int],
    server: Server | None,
) -> tuple[dict[str, int], dict[str, int]]:
    """Returns the labels and the pending ones such that no label holds up another.

    Args:
        directory: The directory of the versions.
        labels: `{label: version}` for `models.config`.
        pending: `{label: version}` of those that wait.
        server: The server. Without one, the labels stay as they are.
    """
    there = version_numbers(directory)
    pending = {label: n for label, n in pending.items() if n in there}
    if server is not None:
        loaded = {n for n, each in server.versions().items() if each.state == AVAILABLE}
        wanted = {**labels, **pending}
        labels, pending = {}, {}
        for label, version in wanted.items():
            if version in loaded:
                labels[label] = version
                continue
            if version in there:
                pending[label] = version
            current = server.version_of(label)
            if current in loaded and current in there:
                labels[label] = current
    pending = {label: n for label, n in pending.items() if labels.get(label) != n}
    return labels, pending


def write_files(
    directory: pathlib.Path,
    before: Files,
    labels: dict[str, int],
    pending: dict[str, int],
    *entries: Record,
) -> Move:
    """Writes all files, or none; call it under the lock.

    Args:
        directory: The directory of the versions.
        before: What the files say.
        labels: `{label: version}` for `models.config`.
        pending: `{label: version}` of those that wait.
        entries: Records of moves. Other labels that move are recorded too, because
            `removal` must know when a version lost its last label.
    """
    recorded = {each["label"] for each in entries}
    others = [
        record(label, old, labels.get(label))
        for label, old in before.labels.items()
        if label not in recorded and labels.get(label) != old
    ]
    after = Files(labels, pending, [*before.history, *others, *entries])
    try:
        _write(directory, after)
    except BaseException:
        write_history(directory, before.history)
        write_pending(directory, before.pending)
        raise
    return Move(before, after)


def undo(directory: pathlib.Path, done: Move) -> None:
    """Takes back a move, unless others moved the same labels in the meantime.

    Raises:
        TimeoutError: If other processes keep the directory locked.
    """
    with locked(directory):
        now = read_files(directory)
        for labels, old, new in (
            (now.labels, done.before.labels, done.after.labels),
            (now.pending, done.before.pending, done.after.pending),
        ):
            for label in {*old, *new}:
                if labels.get(label) == new.get(label):
                    labels.pop(label, None)
                    labels |= {label: old[label]} if label in old else {}
        added = done.after.history[len(done.before.history) :]
        history = [each for each in now.history if each not in added]
        _write(directory, Files(now.labels, now.pending, history))


def _write(directory, files):
    write_history(directory, files.history)
    write_pending(directory, files.pending)
    # Last: the server sees this file only.
    write_labels(directory, files.labels)
