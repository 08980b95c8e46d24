"""Stops a training whose loss or weights are no longer finite, and says where."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.features import Schema

CHUNK = 10_000
# Of a standardised number: no other is so far from the mean.
LARGE = 1e6


class DivergedError(ValueError):
    """The loss or a weight is NaN or infinite; nothing of the epoch is saved."""


class StopIfNotFinite(keras.callbacks.Callback):
    """Ends a training at the first batch whose loss is NaN or infinite.

    The weights are looked at after each epoch, because a layer may hide them: scores of
    NaN weights can all be 0.5. An error says the batch, the layers, and the rows that
    may have caused it. It is raised before the epoch counts as the best one, and before
    it is backed up; a period is not saved.

    Args:
        best: The callback whose best weights the model then gets; `None` leaves the
            model as it is.
        schema: The schema, to look for the rows.
        data: The training rows, to look into.

    Raises:
        DivergedError: At the end of a batch or an epoch.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="d")])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.array([[1.0], [np.inf]]), np.zeros((2, 1))
    >>> model.fit(
    ...     x, y, batch_size=1, verbose=0, shuffle=False, callbacks=[StopIfNotFinite()]
    ... )
    Traceback (most recent call last):
    tf_ctr.training.finite.DivergedError: Expected a finite loss at batch 2 of epoch 1.
    Received: a loss of inf; NaN or infinite weights in ['d'].
    Fix: train with a smaller learning rate, or correct the rows...
    """

    def __init__(
        self,
        best: keras.callbacks.EarlyStopping | None = None,
        schema: Schema | None = None,
        data: pd.DataFrame | None = None,
    ) -> None:
        super().__init__()
        self._best, self._schema, self._data = best, schema, data
        self._epoch = 0

    def on_epoch_begin(
        self, epoch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        """Looks at the mean loss of the epoch so far, which stays NaN."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            where = f"a finite loss at batch {batch + 1} of epoch {self._epoch + 1}"
            raise self._diverged(where, [f"a loss of {float(loss)}"])

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Looks at the weights."""
        if _layers(self.model):
            raise self._diverged(f"finite weights after epoch {epoch + 1}", [])

    def _diverged(self, where, received):
        layers = _layers(self.model)
        if layers:
            received.append(f"NaN or infinite weights in {layers}")
        if self._schema is not None and self._data is not None:
            received += _rows(self._data, self._schema)
        fix = "train with a smaller learning rate, or correct the rows that say so"
        weights = getattr(self._best, "best_weights", None)
        if weights is not None and self._best is not None:
            self.model.set_weights(weights)
            fix += f"; the model has the weights of epoch {self._best.best_epoch + 1}"
        else:
            fix += "; the model is of no use, but what was saved before is whole"
        return DivergedError(explain(where, "; ".join(received), fix))


def _layers(model):
    """The names of the layers with weights that are not finite."""
    return [
        layer.name
        for layer in model.layers
        if not all(
            bool(tf.reduce_all(tf.math.is_finite(weight.value)))
            for weight in layer.weights
            if keras.backend.is_float_dtype(weight.dtype)
        )
    ]


def _rows(frame: pd.DataFrame, schema: Schema) -> Iterator[str]:
    """Yields the fields with values that a model cannot take, and their rows."""
    found: dict[str, list[int]] = {}
    for start in range(0, len(frame), CHUNK):
        part = frame.iloc[start : start + CHUNK]
        for name, values in schema.encode(schema.raw_columns(part)).items():
            array = np.asarray(values)
            if array.dtype.kind == "f":
                # False for NaN.
                fits = (np.abs(array) <= LARGE).reshape(len(part), -1).all(axis=1)
                wrong = start + np.flatnonzero(~fits)
                found.setdefault(name, []).extend(wrong.tolist())
    for name, rows in found.items():
        if rows:
            yield (
                f"{len(rows):,} rows from {rows[0]:,} to {rows[-1]:,} whose '{name}' "
                f"is not finite, or beyond {LARGE:.0e} after scaling"
            )
