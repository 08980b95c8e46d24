"""Removes the models of old periods, so that a run does not fill the disk."""

import pathlib
from collections.abc import Mapping
from typing import Any

from tf_ctr.continual.callbacks import PeriodCallback
from tf_ctr.continual.guards import HELD
from tf_ctr.continual.old_sums import CHECKSUMS
from tf_ctr.continual.periods import Period
from tf_ctr.continual.store import PRUNED, RECORD, Store
from tf_ctr.errors import check_count
from tf_ctr.files import MANIFEST, write_sealed

# What stays in the folder of a pruned period.
KEPT = (PRUNED, RECORD, MANIFEST, CHECKSUMS)


class PruneCallback(PeriodCallback):
    """Keeps the models of the newest periods of a run, and removes older ones.

    The record of every period stays, so reports are complete. The newest model stays in
    any case, to resume from, and so does the newest one that no `GuardCallback` held
    back. Exported versions and snapshots are copies, and need no period.

    Other runs take their source or target models from this folder. A run that is late
    needs the model of its own time: keep as many periods as it may be late by.

    Args:
        keep: How many trained periods keep their model, schema and scores.

    Raises:
        ValueError: If `keep` is not a whole number of at least 1.

    Example:

    >>> PruneCallback(keep=7).keep
    7
    """

    def __init__(self, keep: int) -> None:
        check_count("keep", keep, least=1)
        self.keep = keep
        self._store: Store | None = None

    def on_run_begin(self, directory: pathlib.Path) -> None:
        """Notes the folder, and ends what a killed run began."""
        self._store = Store(directory)
        self._prune(self._store)

    def on_period_saved(self, period: Period, record: Mapping[str, Any]) -> None:
        """Removes models that are too old by now."""
        if self._store is not None:
            self._prune(self._store)

    def _prune(self, store: Store) -> None:
        kept, published = 0, False
        for number in reversed(store.numbers()):
            folder = store.directory / f"{number:06d}"
            if (folder / PRUNED).exists():
                _remove_files(folder)
                continue
            record = store.record(number)
            if not record["trained"]:
                continue
            is_newest_published = not published and HELD not in record
            published |= is_newest_published
            kept += 1
            if kept > self.keep and not is_newest_published:
                # First: a period whose files are going is not a damaged one.
                write_sealed(folder / PRUNED, {"keep": self.keep})
                _remove_files(folder)


def _remove_files(folder):
    for path in folder.iterdir():
        # A folder is not of a run, e.g. `.ipynb_checkpoints`.
        if path.is_file() and path.name not in KEPT:
            path.unlink()
