"""Early stopping that survives a kill."""

import json
import os
import pathlib

import keras
import numpy as np

from tf_ctr.errors import check_name


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Stops when validation stops improving, restores the best weights, resumes.

    Keras's own callback forgets the best epoch when the process dies: after
    `BackupAndRestore` a resumed run could return worse weights than it had seen.
    This one keeps its state on disk while training runs.

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
        self, state_dir=None, monitor="val_auc", mode="max", patience=3, min_delta=0.0
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

    def on_train_begin(self, logs=None):
        """Starts afresh, or where the killed run stopped."""
        super().on_train_begin(logs)
        self._seen_epoch = -1
        if self.state_dir is not None and self._path("state.json").exists():
            self._load()
            # Killed after the last epoch: one more batch, and that is all.
            self.model.stop_training = self.wait >= self.patience

    def on_epoch_end(self, epoch, logs=None):
        """Compares, and writes the state down."""
        check_name("metric", self.monitor, logs)
        if epoch <= self._seen_epoch or self.model.stop_training:
            return  # An epoch that a kill made run twice, or one too many.
        best_weights = self.best_weights
        super().on_epoch_end(epoch, logs)
        self._seen_epoch = epoch
        if self.state_dir is not None and self.best is not None:
            self._save(weights_changed=self.best_weights is not best_weights)

    def on_train_end(self, logs=None):
        """Restores the best weights and removes the state."""
        super().on_train_end(logs)
        if self.state_dir is not None:
            self._path("state.json").unlink(missing_ok=True)
            self._path("best.npz").unlink(missing_ok=True)

    def _path(self, name):
        return self.state_dir / name

    def _save(self, weights_changed):
        self.state_dir.mkdir(parents=True, exist_ok=True)
        if weights_changed:
            partial = self._path("best.partial.npz")
            np.savez(partial, *self.best_weights)
            os.replace(partial, self._path("best.npz"))
        state = {
            "seen_epoch": self._seen_epoch,
            "wait": self.wait,
            "best": float(self.best),
            "best_epoch": self.best_epoch,
        }
        partial = self._path("state.partial.json")
        partial.write_text(json.dumps(state))
        os.replace(partial, self._path("state.json"))

    def _load(self):
        state = json.loads(self._path("state.json").read_text())
        self._seen_epoch = state["seen_epoch"]
        self.wait = state["wait"]
        self.best = state["best"]
        self.best_epoch = state["best_epoch"]
        with np.load(self._path("best.npz")) as arrays:
            self.best_weights = [arrays[name] for name in arrays.files]
