"""Early stopping that survives a kill."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Literal

import keras
import numpy as np

from tf_ctr.errors import check_name
from tf_ctr.files import replacing

STATE, WEIGHTS = "state.json", "best.npz"


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
        ValueError: At the end of the first epoch, if there is no metric `monitor`.

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
        # After a kill between this callback and BackupAndRestore, an epoch runs twice.
        if epoch <= self._seen_epoch or self.model.stop_training:
            return
        best_weights = self.best_weights
        super().on_epoch_end(epoch, logs)
        self._seen_epoch = epoch
        if self.state_dir is not None and self.best is not None:
            improved = self.best_weights is not best_weights
            self._save(self.state_dir, improved)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Restores the best weights and removes the state."""
        super().on_train_end(logs)
        if self.state_dir is not None:
            (self.state_dir / STATE).unlink(missing_ok=True)
            (self.state_dir / WEIGHTS).unlink(missing_ok=True)

    def _save(self, folder: pathlib.Path, improved: bool) -> None:
        # The weights first: a state without its weights could not be resumed.
        if improved:
            # NumPy appends .npz to a file name, but not to an open file.
            with replacing(folder / WEIGHTS) as path, path.open("wb") as file:
                np.savez(file, *self.best_weights)
        state = {
            "seen_epoch": self._seen_epoch,
            "wait": self.wait,
            "best": float(self.best),
            "best_epoch": self.best_epoch,
        }
        with replacing(folder / STATE) as path:
            path.write_text(json.dumps(state))

    def _load(self, folder: pathlib.Path) -> None:
        state = json.loads((folder / STATE).read_text())
        self._seen_epoch = state["seen_epoch"]
        self.wait = state["wait"]
        self.best = state["best"]
        self.best_epoch = state["best_epoch"]
        with np.load(folder / WEIGHTS) as arrays:
            self.best_weights = [arrays[name] for name in arrays.files]
