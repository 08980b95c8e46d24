"""Removing versions from the disk that are not served any more."""

import shutil

from tf_ctr.export.models_config import STABLE, read_labels
from tf_ctr.export.promotion_history import read_history, version_before


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
