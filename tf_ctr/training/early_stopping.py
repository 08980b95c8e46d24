"""Early stopping that survives a kill."""

import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Literal

import keras
import numpy as np

from tf_ctr.errors import check_name, explain
from tf_ctr.files import (
    DamagedError,
    checksum,
    read_sealed,
    replacing,
    write_sealed,
)
from tf_ctr.training.state import explaining_full_disk
from tf_ctr.training.workers import is_chief

# Its folder in the folder of a run. The best weights have the number of their epoch.
FOLDER, STATE, WEIGHTS = "early_stopping", "state.json", "best_{epoch:06d}.npz"


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Stops a run that no longer improves, restores its best weights, survives a kill.

    Keras's own callback forgets the best epoch when the process dies: a run resumed by
    `BackupAndRestore` could end with worse weights than its best ones. This callback
    keeps its state on disk while training runs.

    Args:
        state_dir: Folder for the state; `None` keeps it in memory only.
        monitor: Metric to watch. Defaults to `"val_auc"`.
        mode: `"max"` or `"min"`.
        patience: Epochs without improvement before stopping.
        min_delta: Least change that counts as an improvement.

    Raises:
        ValueError: At the end of the first epoch, if there is no metric `monitor`, or
            it is NaN. When training begins, if the state in the folder is damaged or of
            another model.

    Example:

    >>> EarlyStopping(patience=2).monitor
    'val_auc'
    """

    def __init__(
        self,
        state_dir: str | os.PathLike | None = None,
        monitor: str = "val_auc",
        mode: Literal["max", "min"] = "max",
        patience: int = 3,
        min_delta: float = 0.0,
    ):
        super().__init__(
            monitor=monitor,
            mode=mode,
            patience=patience,
            min_delta=min_delta,
            restore_best_weights=True,
        )
        self.state_dir = None if state_dir is None else pathlib.Path(state_dir)
        self._seen_epoch = -1
        self._weights_sum = ""

    @property
    def seen_epoch(self) -> int:
        """The last epoch that was compared with the best one; -1 before the first."""
        return self._seen_epoch

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Starts a run, or resumes the one that was killed."""
        super().on_train_begin(logs)
        self._seen_epoch = -1
        if self.state_dir is not None and (self.state_dir / STATE).exists():
            self._load(self.state_dir)
            # After a kill in the last epoch, training is over. Keras checks this flag
            # only after a batch, so one more batch is trained.
            self.model.stop_training = self.wait >= self.patience

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Compares the epoch with the best one, and saves the state."""
        check_name("metric", self.monitor, logs or {})
        self._check_defined((logs or {})[self.monitor])
        # After a kill between this callback and the backup, an epoch ends twice.
        if epoch <= self._seen_epoch:
            self.model.stop_training |= self.wait >= self.patience
            return
        if self.model.stop_training:
            return
        best_weights = self.best_weights
        super().on_epoch_end(epoch, logs)
        self._seen_epoch = epoch
        if self.state_dir is not None and self.best is not None and is_chief():
            improved = self.best_weights is not best_weights
            with explaining_full_disk(self.state_dir):
                self._save(self.state_dir, improved)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Restores the best weights, says so, and removes the state."""
        super().on_train_end(logs)
        if self.best is not None and self.params.get("verbose", 1):
            trained = f"stopped at epoch {self._seen_epoch + 1}"
            if self._seen_epoch + 1 == self.params.get("epochs"):
                trained = f"trained {self._seen_epoch + 1} epochs"
            print(
                f"{trained}; best epoch {self.best_epoch + 1} ({self.monitor} "
                f"{self.best:.4f}) restored"
            )
        if self.state_dir is not None and is_chief():
            (self.state_dir / STATE).unlink(missing_ok=True)
            _remove_weights(self.state_dir, but=None)

    def _check_defined(self, value: float) -> None:
        # Keras would keep NaN as the best value, which no other one is better than.
        if np.isnan(value):
            raise ValueError(
                explain(
                    f"a number as {self.monitor!r}, which decides the best epoch",
                    "NaN",
                    "validate on rows with clicks and without, for GAUC in one group; "
                    "or pass another metric as monitor",
                )
            )

    def _save(self, folder: pathlib.Path, improved: bool) -> None:
        # The weights first, under a name of their own: a kill before the state is
        # written leaves the old state with its own weights.
        name = WEIGHTS.format(epoch=self.best_epoch)
        if improved:
            # NumPy appends .npz to a file name, but not to an open file.
            with replacing(folder / name) as path, path.open("wb") as file:
                np.savez(file, *self.best_weights)
            self._weights_sum = checksum(folder / name)
        state = {
            "seen_epoch": self._seen_epoch,
            "wait": self.wait,
            "best": float(self.best),
            "best_epoch": self.best_epoch,
            "weights": name,
            "weights_sha256": self._weights_sum,
        }
        write_sealed(folder / STATE, state)
        _remove_weights(folder, but=name)

    def _load(self, folder: pathlib.Path) -> None:
        what = "the state of early stopping"
        fix = (
            f"delete {folder} and {folder.with_name('backup')}; the run then starts "
            "over"
        )
        state = read_sealed(folder / STATE, what, fix, _is_of_0_2)
        name, known = state.get("weights", "best.npz"), state.get("weights_sha256")
        damage = f"{name}, whose content has changed since it was written"
        try:
            found = checksum(folder / name)
            if known in (None, found):
                with np.load(folder / name, allow_pickle=False) as arrays:
                    self.best_weights = [arrays[each] for each in arrays.files]
                damage = ""
        except (
            OSError,
            ValueError,
            LookupError,
            EOFError,
            zipfile.BadZipFile,
        ) as error:
            damage = f"{name}, which cannot be read ({type(error).__name__}: {error})"
        if damage:
            raise DamagedError(f"{what} in {folder} as it was written", damage, fix)
        self._weights_sum = found
        self._seen_epoch = state["seen_epoch"]
        self.wait = state["wait"]
        self.best = state["best"]
        self.best_epoch = state["best_epoch"]
        self._check_shapes(folder)

    def _check_shapes(self, folder: pathlib.Path) -> None:
        own, other = (
            [tuple(array.shape) for array in arrays]
            for arrays in (self.model.weights, self.best_weights)
        )
        if own != other:
            raise ValueError(
                explain(
                    f"the model whose best weights are in {folder}, of {len(other)} "
                    "arrays",
                    f"a model of {len(own)} arrays, or of other shapes",
                    "build the same model, or use another folder",
                )
            )


def _remove_weights(folder, but):
    for path in folder.glob("best*.npz"):
        if path.name != but:
            path.unlink(missing_ok=True)


def _is_of_0_2(values):
    """Whether these are all values of version 0.2, which kept no sums, and one name."""
    return set(values) == {"seen_epoch", "wait", "best", "best_epoch"}
