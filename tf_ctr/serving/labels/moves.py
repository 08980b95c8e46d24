"""Moves of a label in the two files that keep it, and removal of old versions."""

import pathlib
import shutil
from collections.abc import Mapping

from tf_ctr.errors import explain
from tf_ctr.serving.labels.history import (
    Record,
    read_history,
    version_before,
    write_history,
)
from tf_ctr.serving.labels.models_config import (
    PREVIOUS,
    STABLE,
    read_labels,
    write_labels,
)
from tf_ctr.serving.labels.versions import version_numbers


def move(
    directory: pathlib.Path,
    seen: Mapping[str, int],
    label: str,
    version: int,
    entry: Record,
) -> None:
    """Writes the history, then the labels, or neither; call it under the lock.

    A process that is killed in between leaves one record too many. It does no harm:
    `version_before` looks for the version that has the label.

    Args:
        directory: The directory of the versions.
        seen: `{label: version}` that the decision was based on.
        label: The label that moves; `previous` follows `stable`.
        version: The version that gets the label.
        entry: The record of the move, by `history.record`.

    Raises:
        RuntimeError: If the label, or `stable`, moved since it was seen.
    """
    labels = read_labels(directory)
    for each in (STABLE, label):
        if labels.get(each) != seen.get(each):
            raise RuntimeError(
                explain(
                    f"{each} to stay at version {seen.get(each)} in the meantime",
                    f"{each} at {labels.get(each)}, moved by someone else",
                    "try again, with the version that is there now",
                )
            )
    history = read_history(directory)
    changed = [*history, entry]
    labels[label] = version
    if label == STABLE:
        labels.pop(PREVIOUS, None)
        previous = version_before(changed, STABLE, version)
        if previous is not None and (directory / str(previous)).is_dir():
            labels[PREVIOUS] = previous
    write_history(directory, changed)
    try:
        write_labels(directory, labels)
    except BaseException:
        write_history(directory, history)
        raise


def remove_old(directory: pathlib.Path, keep: int) -> list[int]:
    """Removes the versions below the stable one that nobody needs any more.

    Those with a label stay, and so do the last `keep` versions that were stable.

    Args:
        directory: The directory of the versions.
        keep: How many versions that are or were stable stay, the newest first.

    Returns:
        The removed versions.
    """
    labels, history = read_labels(directory), read_history(directory)
    kept = set(labels.values())
    stable = labels.get(STABLE, 0)
    version: int | None = stable
    for _ in range(keep):
        if version is not None:
            kept.add(version)
            version = version_before(history, STABLE, version)
    old = (each for each in version_numbers(directory) if each < stable)
    removed = sorted(set(old) - kept)
    for gone in directory.glob(".removed-*"):  # Left by a process that was killed.
        shutil.rmtree(gone)
    for each in removed:
        # First under a name that no server reads, because the files go one by one.
        gone = directory / f".removed-{each}"
        (directory / str(each)).rename(gone)
        shutil.rmtree(gone)
    return removed
