"""Moving a label: what is written, and what must not have changed before."""

import shutil

from tf_ctr.errors import explain
from tf_ctr.serving.labels.history import read_history, version_before, write_history
from tf_ctr.serving.labels.models_config import (
    PREVIOUS,
    STABLE,
    read_labels,
    write_labels,
)


def move(directory, seen, label, version, record_of_it):
    """Writes the history, then the labels, or neither; call it under the lock.

    Killed in between, the history has a record more, which `version_before` passes
    over.

    Args:
        directory: `pathlib.Path` of the directory of the versions.
        seen: `{label: version}` that the decision was made on.
        label: The label that moves; with `stable`, `previous` follows.
        version: The version that gets it.
        record_of_it: What `promotion_history.record` returned.

    Raises:
        RuntimeError: If the label, or `stable`, moved since it was seen.
    """
    labels = _unmoved(directory, seen, label)
    history = read_history(directory)
    changed = [*history, record_of_it]
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


def _unmoved(directory, seen, label):
    """Returns the labels of now; raises if one moved that the decision was made on."""
    labels = read_labels(directory)
    for each in (STABLE, label):
        if labels.get(each) != seen.get(each):
            raise RuntimeError(
                explain(
                    f"{each} to stay at version {seen.get(each)} in the meantime",
                    f"{each} at {labels.get(each)}, moved by someone else",
                    "try again, beside the version that is there now",
                )
            )
    return labels


def remove_old(directory, keep) -> list:
    """Removes versions below the stable one that have no label and were not stable.

    Args:
        directory: `pathlib.Path` of the directory of the versions.
        keep: How many versions stay that are or were stable, the newest first.

    Returns:
        The removed versions.
    """
    labels, history = read_labels(directory), read_history(directory)
    kept = set(labels.values())
    newest = version = labels.get(STABLE, 0)
    for _ in range(keep):
        kept.add(version)
        version = version_before(history, STABLE, version)
    names = [path.name for path in directory.iterdir()]
    versions = {int(name) for name in names if name.isascii() and name.isdecimal()}
    removed = sorted(each for each in versions - kept if each < newest)
    for gone in directory.glob(".removed-*"):  # Left by a process that was killed.
        shutil.rmtree(gone)
    for each in removed:
        # Under a name that no server reads, before the files go one by one.
        gone = directory / f".removed-{each}"
        (directory / str(each)).rename(gone)
        shutil.rmtree(gone)
    return removed
