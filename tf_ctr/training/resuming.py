"""Backs a run up, and resumes it: the same run, or none."""

import contextlib
import functools
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import keras

from tf_ctr.errors import explain
from tf_ctr.files import (
    locked,
    read_sealed,
    remove_folder,
    settle_folder,
    write_sealed,
)
from tf_ctr.training.early_stopping import FOLDER, EarlyStopping
from tf_ctr.training.settings import differences, model_settings
from tf_ctr.training.state import restore_state, save_state
from tf_ctr.training.steps import Position, Steps
from tf_ctr.training.workers import check_same, is_chief, wait_for_all

RUN, BACKUP, FINISHED = "training.json", "backup", "finished"
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

    Attributes:
        finished: Whether the folder holds a finished run.
        steps: Where the run is, once training has begun.

    Raises:
        ValueError: When training begins, if the folder holds a run of another model,
            optimizer, loss, schema or data, or a damaged backup.
        LockedError: When training begins, if another process trains in the folder.
    """

    steps: Steps

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
        if is_chief():  # Other workers only read.
            self._held.enter_context(locked(self.run_dir))
        try:
            self._begin()
        except BaseException:
            self.release()
            raise

    def on_epoch_begin(
        self, epoch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Notes where the run is in its data."""
        self.steps.begin_epoch(epoch)

    def release(self) -> None:
        """Lets other processes train in the folder. Garbage collection does, too."""
        self._held.close()

    def _begin(self):
        # Keras keeps it in the model, so a second `fit` would skip its first epochs.
        self.model._initial_epoch = None
        self.finished = False
        if not self.resume:
            if is_chief():
                for name in (FINISHED, BACKUP, FOLDER):
                    remove_folder(self.run_dir / name)
                (self.run_dir / RUN).unlink(missing_ok=True)
            self.resume = True  # The next `fit` with these callbacks resumes this one.
        if is_chief():
            for name in (BACKUP, FINISHED):
                settle_folder(self.run_dir / name)
        wait_for_all()  # No worker reads what the chief changes.
        self._check_settings()
        epochs = self.params["epochs"]
        start = Position()
        if (self.run_dir / FINISHED).exists():
            done = restore_state(**self._state(FINISHED)).epoch
            self.finished = True
            self.model._initial_epoch = epochs
            print(
                f"{self.run_dir} is finished: {done} epochs, whose weights are loaded. "
                f"Nothing is trained; to train again, {OTHER}."
            )
        elif (self.run_dir / BACKUP).exists():
            start = restore_state(**self._state(BACKUP))
            self.model._initial_epoch = start.epoch
            # One further epoch, unless early stopping had stopped the run.
            following = min(start.epoch + 1, epochs)
            after = ""
            if start.batch:
                after = f", after {start.batch:,} batches, which are drawn again"
            print(
                f"resuming at epoch {following} of {epochs} from {self.run_dir}{after}"
            )
        check_same(
            "epoch and batch to begin with",
            (self.model._initial_epoch or 0, start.batch),
            f"put {self.run_dir} on storage that all workers read",
        )
        self.steps = self.model.train_function = Steps(
            self.model,
            start,
            self.params.get("steps"),
            functools.partial(restore_state, **self._state(BACKUP), metrics=True),
        )

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
        if is_chief():
            write_sealed(path, {"settings": own})

    def _state(self, name):
        folder = self.run_dir / name
        fix = f"delete {folder}, or {OTHER}; the run then starts over"
        return {"model": self.model, "folder": folder, "fix": fix}


class Backup(keras.callbacks.Callback):
    """Backs the run of a `Resume` up as it goes on, and keeps its final weights.

    It comes after `EarlyStopping`, whose state then includes every epoch backed up, and
    whose best weights are the final ones.

    Args:
        run: The first callback of the run.
        stopping: The early stopping of the run.
        every_steps: Batches from one backup to the next, beside those after each epoch;
            `None` for no others.
    """

    def __init__(
        self, run: Resume, stopping: EarlyStopping, every_steps: int | None = None
    ) -> None:
        super().__init__()
        self.run, self.stopping, self.every_steps = run, stopping, every_steps
        self._position = Position()

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Ends a run at once that early stopping had stopped before a kill."""
        self._position = self.run.steps.position
        if self.model.stop_training:
            # A kill may have come after early stopping and before the backup.
            if self.stopping.seen_epoch < self._position.epoch:
                self.model._initial_epoch = self.params["epochs"]
            else:
                self.model.stop_training = False

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Saves the state every few steps; a batch that is only drawn is none."""
        now, every = self.run.steps.position, self.every_steps
        if every is not None and now.steps // every > self._position.steps // every:
            self._save(BACKUP, now)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Saves the state."""
        self._save(BACKUP, self.run.steps.end_epoch())

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Saves the final state, which a repeated call loads; removes the backup."""
        if not self.run.finished:
            self._save(FINISHED, self._position)
        if is_chief():
            remove_folder(self.run.run_dir / BACKUP)
        self.model.train_function = self.run.steps.train
        self.run.release()

    def _save(self, name, position):
        save_state(self.model, position, self.run.run_dir / name)
        self._position = position
