"""Exact metrics in the logs of training, also by group and by slice."""

import os
import pathlib
from collections.abc import Iterator, Mapping

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_count, explain
from tf_ctr.evaluation.slices import Scored, score_slices
from tf_ctr.features import Schema
from tf_ctr.rows import Source
from tf_ctr.training.steps import Steps

# Counts, which are no metric to watch.
COUNTS = ("rows", "groups_used", "groups_skipped")
MOST_SLICES = 100


class Evaluation(keras.callbacks.Callback):
    """Measures the model on rows after every epoch, exactly, and logs the metrics.

    The logs get `val_auc`, `val_gauc` (if the schema has a group), `val_log_loss`,
    `val_calibration`, `val_click_rate`, `val_normalized_entropy` and
    `val_calibration_error`; with several labels, these of each, e.g. `val_buy_auc`; and
    with `by`, these of each value of a column, e.g. `val_tab_1_auc`. They replace
    streaming metrics of the same name, which are approximate. Put it before the
    callbacks that read the logs: `callbacks=[Evaluation(valid, schema),
    *tf_ctr.training.callbacks(run_dir, monitor="val_gauc")]`.

    Args:
        validation: Raw labelled rows: a frame, a path, or rows of any kind that can be
            read again after every epoch.
        schema: The fitted `Schema` of the model.
        by: The column whose values are measured apart, e.g. the domain; it need not be
            a field.
        every_steps: Measure after so many steps, too. These metrics are in `history`
            and in TensorBoard, not in the logs of the epoch.
        log_dir: TensorBoard folder of the run; `None` writes nothing. Metrics of epochs
            are also written by the callback `TensorBoard`.
        batch_size: Rows per batch. Only memory and speed depend on it.

    Attributes:
        history: `pandas.DataFrame`, a line per measurement of the last `fit`, with
            `epoch`, `step` and the metrics. Steps are counted over the whole run, also
            after it was resumed by `tf_ctr.training.callbacks`.

    Raises:
        ValueError: For a number of steps below 1. While it runs: for more than 100
            values of `by`, or as `tf_ctr.evaluation.evaluate`.
        TypeError: For an iterator, which can be read only once.

    Example:

    >>> import pandas, tf_ctr
    >>> from tf_ctr.training import Evaluation
    >>> frame = pandas.DataFrame({"price": [1.0, 2.0], "click": [0, 1]})
    >>> schema = tf_ctr.Schema([tf_ctr.Numeric("price")]).fit(frame)
    >>> prices = schema.inputs()
    >>> callback = Evaluation(frame, schema)
    >>> callback.set_model(keras.Model(prices, keras.ops.sigmoid(prices["price"])))
    >>> logs = {}
    >>> callback.on_epoch_end(0, logs)
    >>> logs["val_auc"]
    1.0
    """

    def __init__(
        self,
        validation: Source,
        schema: Schema,
        by: str | None = None,
        every_steps: int | None = None,
        log_dir: str | os.PathLike | None = None,
        batch_size: int = 8192,
    ):
        super().__init__()
        if every_steps is not None:
            check_count("every_steps", every_steps, 1)
        check_count("batch_size", batch_size, 1)
        if isinstance(validation, Iterator):
            raise TypeError(
                explain(
                    "validation rows that can be read after every epoch",
                    f"an iterator, {type(validation).__name__}",
                    "pass a frame, a path, or a function that returns an iterator",
                )
            )
        schema.check_fitted()
        self.validation = validation
        self.schema = schema
        self.by = by
        self.every_steps = every_steps
        self.log_dir = None if log_dir is None else pathlib.Path(log_dir)
        self.batch_size = batch_size
        self.history = pd.DataFrame()
        self._writer: tf.summary.SummaryWriter | None = None
        self._epoch = self._step = 0

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Clears the history, and opens the log."""
        self.history, self._step = pd.DataFrame(), 0
        if self.log_dir is not None and self.every_steps is not None:
            folder = str(self.log_dir / "evaluation")
            self._writer = tf.summary.create_file_writer(folder)

    def on_epoch_begin(
        self, epoch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Keeps the number of the epoch, and of the steps before it."""
        self._epoch = epoch
        self._step = self._steps_of_run(self._step)

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Measures every `every_steps` steps; a batch only drawn again is none."""
        before = self._step
        self._step = self._steps_of_run(before + self.model.steps_per_execution)
        every = self.every_steps
        if every is not None and self._step // every > before // every:
            found = self._measure()
            if self._writer is not None:
                with self._writer.as_default(step=self._step):
                    for name, value in found.items():
                        tf.summary.scalar(f"evaluation/{name}", value)
                self._writer.flush()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measures, and adds the metrics to the logs of the epoch."""
        self._epoch = epoch
        found = self._measure()
        if logs is not None:
            logs.update({f"val_{name}": value for name, value in found.items()})

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Closes the log."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _steps_of_run(self, counted: int) -> int:
        """The steps trained since the run began, which may have been killed since."""
        function = getattr(self.model, "train_function", None)
        return function.position.steps if isinstance(function, Steps) else counted

    def _measure(self) -> dict[str, float]:
        scored = score_slices(
            self.model, self.validation, self.schema, self.by, self.batch_size
        )
        found = _metrics(scored)
        if len(scored.slices) > MOST_SLICES:
            raise ValueError(
                explain(
                    f"at most {MOST_SLICES} values to measure apart",
                    f"{len(scored.slices)} in column {self.by!r}",
                    "name a column of few values, such as the domain",
                )
            )
        for value, rows in scored.slices.items():
            name = "missing" if value != value else value  # NaN differs from itself.
            own = _metrics(scored, rows)
            found |= {f"{self.by}_{name}_{key}": each for key, each in own.items()}
        line = {"epoch": self._epoch, "step": self._step, **found}
        self.history = pd.concat(
            [self.history, pd.DataFrame([line])], ignore_index=True
        )
        return found


def _metrics(
    scored: Scored, rows: np.ndarray | slice = slice(None)
) -> dict[str, float]:
    found = {**scored.metrics(rows), **scored.reliability(rows)}
    return {name: value for name, value in found.items() if not name.endswith(COUNTS)}
