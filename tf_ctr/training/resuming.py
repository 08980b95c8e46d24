"""Backs a run up after each epoch, and resumes it: the same run, or none."""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import keras

from tf_ctr.errors import explain
from tf_ctr.files import (
    MANIFEST,
    locked,
    read_manifest,
    read_sealed,
    whole_folder,
    write_sealed,
)
from tf_ctr.training.early_stopping import FOLDER
from tf_ctr.training.settings import differences, model_settings

RUN, BACKUP, FINISHED = "training.json", "backup", "finished"
# The names of version 0.2, whose backups have neither a manifest nor settings.
WEIGHTS, EPOCH = "latest.weights.h5", "training_metadata.json"
OTHER = "pass resume=False to start over, or another run_dir"


class Resume(keras.callbacks.Callback):
    """Resumes a run that was killed, and refuses to continue another run as this one.

    The first callback of `tf_ctr.training.callbacks`. While a run trains, it holds the
    lock of the folder.

    Args:
        run_dir: The folder of the run.
        resume: Whether to resume; otherwise the state in the folder is removed when
            training begins, but not its TensorBoard curves.
        settings: What else the run depends on, as JSON-like values.

    Raises:
        ValueError: When training begins, if the folder holds a run of another model,
            optimizer, loss, schema or data, or a damaged backup.
        LockedError: When training begins, if another process trains in the folder.
    """

    def __init__(
        self,
        run_dir: pathlib.Path,
        resume: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.run_dir, self.resume = run_dir, resume
        self.finished = False
        self._settings = dict(settings or {})
        self._held = contextlib.ExitStack()

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Checks the settings, restores the state, and says what it does."""
        self._held.enter_context(locked(self.run_dir))
        try:
            self._begin()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Lets other processes train in the folder. Garbage collection does, too."""
        self._held.close()

    def _begin(self):
        # Keras keeps it in the model, so a second `fit` would skip its first epochs.
        self.model._initial_epoch = None
        self.finished = False
        if not self.resume:
            for name in (FINISHED, BACKUP, FOLDER):
                shutil.rmtree(self.run_dir / name, ignore_errors=True)
            (self.run_dir / RUN).unlink(missing_ok=True)
            self.resume = True  # The next `fit` with these callbacks resumes this one.
        self._check_settings()
        epochs = self.params["epochs"]
        if (self.run_dir / FINISHED).exists():
            done = self._restore(FINISHED)
            self.finished = True
            self.model._initial_epoch = epochs
            print(
                f"{self.run_dir} is finished: {done} epochs, whose weights are loaded. "
                f"Nothing is trained; to train again, {OTHER}."
            )
        elif (self.run_dir / BACKUP).exists():
            done = self._restore(BACKUP)
            self.model._initial_epoch = done
            # One further epoch, unless early stopping had stopped the run.
            following = min(done + 1, epochs)
            print(f"resuming at epoch {following} of {epochs} from {self.run_dir}")

    def _check_settings(self):
        path = self.run_dir / RUN
        own = model_settings(self.model) | self._settings
        own["batches per epoch"] = self.params.get("steps")
        own = json.loads(json.dumps(own, default=str))
        started = [n for n in (FINISHED, BACKUP) if (self.run_dir / n).exists()]
        if path.exists() and started:
            known = read_sealed(path, "the settings of the run", OTHER)["settings"]
            found = differences(known, own)
            if found:
                raise ValueError(
                    explain(
                        f"the run that {self.run_dir} holds",
                        f"another one: {'; '.join(found)}",
                        OTHER,
                    )
                )
        elif started:
            print(f"{self.run_dir} was written by tf_ctr 0.2, without its settings")
        write_sealed(path, {"settings": own})

    def _restore(self, name):
        folder = self.run_dir / name
        fix = f"delete {folder}, or {OTHER}; the run then starts over"
        manifest = None
        if not _is_of_0_2(folder):
            manifest = read_manifest(folder, "the state of the run", fix)
        if not self.model.built:
            raise ValueError(
                explain(
                    "a built model to resume",
                    "a model without weights",
                    "call the model on a batch before `fit`",
                )
            )
        optimizer = self.model.optimizer
        if optimizer is not None and not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        if manifest is not None:
            manifest.check()  # Before loading: the weights go into the model at once.
        self.model.load_weights(folder / WEIGHTS)
        return json.loads((folder / EPOCH).read_text())["epoch"]


class Backup(keras.callbacks.Callback):
    """Backs the run of a `Resume` up after each epoch, and keeps its final weights.

    It comes after `EarlyStopping`, whose state then includes every epoch backed up, and
    whose best weights are the final ones.

    Args:
        run: The first callback of the run.
    """

    def __init__(self, run: Resume) -> None:
        super().__init__()
        self.run = run
        self._epochs = 0

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Ends a run at once that early stopping had stopped before a kill."""
        self._epochs = self.model._initial_epoch or 0
        if self.model.stop_training:
            self.model._initial_epoch = self.params["epochs"]

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Saves weights, optimizer slots and the number of epochs, whole or not."""
        self._epochs = epoch + 1
        self._save(BACKUP)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Saves the final state, which a repeated call loads; removes the backup."""
        if not self.run.finished:
            self._save(FINISHED)
        shutil.rmtree(self.run.run_dir / BACKUP, ignore_errors=True)
        self.run.release()

    def _save(self, name):
        with whole_folder(self.run.run_dir / name) as folder:
            self.model.save_weights(folder / WEIGHTS)
            (folder / EPOCH).write_text(
                json.dumps({"epoch": self._epochs, "format": 2})
            )


def _is_of_0_2(folder):
    if (folder / MANIFEST).exists():
        return False
    try:
        return "format" not in json.loads((folder / EPOCH).read_text())
    except (OSError, ValueError):
        return False
