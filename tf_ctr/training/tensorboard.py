"""All that TensorBoard shows of a training run, by one callback."""

import functools
import importlib.util
import numbers
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tf_ctr import plots
from tf_ctr.errors import check_choice, check_count, check_name, explain
from tf_ctr.features import Schema
from tf_ctr.files import read_sealed, write_sealed
from tf_ctr.training.board import model as of_model
from tf_ctr.training.board import overview, scores
from tf_ctr.training.routing import RouteLogger

HISTORY, TEST = "history.json", "test.json"
NO_PICTURES = (
    "TensorBoard will show no pictures, because matplotlib is missing: "
    'pip install "tf_ctr[plots]"'
)


class TensorBoard(keras.callbacks.TensorBoard):
    """Writes curves, settings, scores, tables and the graph of a run for TensorBoard.

    `tf_ctr.training.callbacks(run_dir, validation, schema=schema)` includes it. Look
    with `tensorboard --logdir` at the folder that holds your runs:

    - *Time series*: losses and metrics of training and validation rows by epoch, the
      learning rate, and the run `best`, which marks the best epoch by one point.
    - *HParams*: the settings and final metrics of every run, to compare.
    - *Custom scalars*: AUC, GAUC, LogLoss, calibration, and the routes of all fields
      and layers in one chart.
    - With `validation`: exact GAUC and calibration, *PR curves*, the distribution of
      the logits, and, in *Images*, the reliability diagram.
    - With `schema`: the fields as a *Text*, the *Graph* of the model, the distribution
      of the norms of its tables, and the tables in the *Projector* with their ids.

    The last views are of the model at the end of training, so put the callback after
    the one that restores the best weights. Images need matplotlib; without it one line
    says that they are left out.

    Args:
        run_dir: Folder of the run.
        schema: The fitted schema.
        validation: Validation batches, as for `model.fit`.
        by: A field of the schema whose ids tell domains apart: AUC, LogLoss and
            calibration are also written for each, for at most 20.
        rows: Score at most about this many validation rows after every epoch.
        settings: Settings of your own to compare runs by, such as the data set.
        monitor: Metric of the best epoch.
        mode: Whether `monitor` is to be maximised or minimised.
        routes: The callback that measures the routes of a model, for the images.

    Raises:
        ValueError: For a wrong argument.

    Example:

    >>> board = TensorBoard("runs/dcn", settings={"dataset": "movielens"})
    >>> board.monitor
    'val_auc'
    """

    def __init__(
        self,
        run_dir: str | os.PathLike,
        schema: Schema | None = None,
        validation: tf.data.Dataset | None = None,
        by: str | None = None,
        rows: int = 100_000,
        settings: Mapping[str, bool | int | float | str] | None = None,
        monitor: str = "val_auc",
        mode: Literal["max", "min"] = "max",
        routes: RouteLogger | None = None,
    ) -> None:
        check_choice("mode", mode, ("max", "min"))
        check_count("rows", rows, least=1)
        if by is not None:
            fields = [] if schema is None else [f.name for f in schema.fields]
            check_name("field", by, fields)
        super().__init__(str(run_dir), write_graph=False)
        self.run_dir, self.schema, self.validation = (
            pathlib.Path(run_dir),
            schema,
            validation,
        )
        self.by, self.rows, self.settings = by, rows, dict(settings or {})
        self.monitor, self.mode, self.routes = monitor, mode, routes
        self._begun = False
        self._history: list[dict[str, float]] = []
        self._root: tf.summary.SummaryWriter | None = None

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Prepares; nothing is written before the first epoch."""
        super().on_train_begin(logs)
        self._begun = False

    def on_epoch_begin(
        self, epoch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Writes the settings, schema and graph before the first epoch of a `fit`."""
        super().on_epoch_begin(epoch, logs)
        if self._begun:
            return
        self._begun = True
        self._history = read_history(self.run_dir)[:epoch]
        self._root = tf.summary.create_file_writer(str(self.run_dir))
        settings = overview.plain_settings(self.model, self.params) | self.settings
        with self._root.as_default(step=epoch):
            overview.write_settings(settings, str(self.run_dir))
            overview.write_layout()
            if self.schema is not None:
                overview.write_schema(self.schema)
                of_model.write_graph(self.model)
        if self._draws() and not _has_matplotlib():
            _say_no_pictures()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Writes the metrics of the epoch."""
        super().on_epoch_end(epoch, logs)
        shown = {name: float(value) for name, value in (logs or {}).items()}
        for name, found in self._scores().items():
            prefix = f"{name}_" if name else ""
            with self._val_writer.as_default():
                for tag, value in scores.scalars(found, self.schema, self.by):
                    if f"val_{prefix}{tag}" not in shown:  # Keras has written these.
                        tf.summary.scalar(f"epoch_{prefix}{tag}", value, epoch)
                        shown[f"val_{prefix}{tag}"] = float(value)
                scores.write_curves(name, found, epoch)
        if self.schema is not None and self._root is not None:
            with self._root.as_default():
                of_model.write_norms(self.model, epoch)
        self._history.append(shown)
        write_sealed(self.run_dir / HISTORY, {"epochs": self._history})

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Marks the best epoch, and writes what belongs to its weights."""
        super().on_train_end(logs)
        if self._root is None:
            return
        if self._history:
            epoch = self._best()
            self._write_best(epoch)
            with self._root.as_default(step=epoch):
                if self.schema is not None:
                    of_model.write_projector(self.model, self.schema, self.run_dir)
                if _has_matplotlib():
                    self._write_images(epoch)
        self._root.close()
        self._root = None

    def _best(self):
        values = [epoch.get(self.monitor, np.nan) for epoch in self._history]
        if not np.isfinite(values).any():
            return len(values) - 1
        return int((np.nanargmax if self.mode == "max" else np.nanargmin)(values))

    def _write_best(self, epoch):
        metrics = self._history[epoch]
        with tf.summary.create_file_writer(str(self.run_dir / "best")).as_default():
            for name, value in metrics.items():
                if name.startswith("val_"):  # In the charts of the curves.
                    tag = f"epoch_{name.removeprefix('val_')}"
                    tf.summary.scalar(tag, value, epoch)
        with self._root.as_default():
            tf.summary.scalar("final/best_epoch", epoch + 1, epoch)
            for name, value in metrics.items():
                if name.startswith("val_") and "/" not in name:
                    tf.summary.scalar(f"final/{name}", value, epoch)

    def _write_images(self, epoch):
        for name, found in self._scores().items():
            diagram = plots.reliability(found.labels, found.scores, found.weights)
            _write_image(f"{name}/reliability" if name else "reliability", diagram)
        history = None if self.routes is None else self.routes.history
        if history is not None and len(history):
            chosen = epoch if epoch in history.index else history.index[-1]
            _write_image("routes", plots.routes(history.loc[chosen]))
            _write_image("routes_by_epoch", plots.route_history(history))

    def _draws(self):
        return self.validation is not None or self.routes is not None

    def _scores(self) -> dict[str, scores.Scores]:
        if self.validation is None:
            return {}
        return scores.score(
            self.model, self.validation, self.schema, self.by, self.rows
        )


def log_test(run_dir: str | os.PathLike, metrics: Mapping[str, Any]) -> None:
    """Adds test metrics to a finished run, for TensorBoard and `tf_ctr.report`.

    They are shown as `test/auc` and so on, in *HParams* beside the settings. Choose by
    validation metrics, and test once.

    Args:
        run_dir: Folder of the run.
        metrics: What `tf_ctr.evaluation.evaluate` returned for the test rows.

    Raises:
        ValueError: If there is no such folder.

    Example:

    >>> import tempfile
    >>> log_test(tempfile.mkdtemp(), {"rows": 100, "auc": 0.7})
    """
    folder = pathlib.Path(run_dir)
    if not folder.is_dir():
        raise ValueError(
            explain(
                "the folder of a run",
                str(folder),
                "train with tf_ctr.training.callbacks(run_dir) first",
            )
        )
    found = {
        name: value if isinstance(value, int) else float(value)
        for name, value in metrics.items()
        if isinstance(value, numbers.Real)  # Of NumPy, too.
    }
    write_sealed(folder / TEST, {"metrics": found})
    with tf.summary.create_file_writer(str(folder)).as_default():
        for name, value in found.items():
            if np.isfinite(value):
                tf.summary.scalar(f"test/{name}", value, 0)


def read_history(run_dir: pathlib.Path) -> list[dict[str, float]]:
    """Returns the metrics of the epochs of a run, in order; none without a file.

    Raises:
        DamagedError: If the file is not as it was written.
    """
    path = run_dir / HISTORY
    if not path.exists():
        return []
    fix = f"remove {path}; the curves of the earlier epochs are then left out"
    return read_sealed(path, "the metrics of the run's epochs", fix)["epochs"]


def _write_image(name, figure):
    tf.summary.image(name, figure.pixels()[None])


@functools.cache  # A program may train many models.
def _say_no_pictures():
    print(NO_PICTURES)


def _has_matplotlib():
    return importlib.util.find_spec("matplotlib") is not None
