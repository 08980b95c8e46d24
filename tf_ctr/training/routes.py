"""Which way the instances go, in TensorBoard."""

import pathlib

import keras
import pandas as pd
import tensorflow as tf

from tf_ctr.surgery.routes import gate_model, has_routes, mean_gates
from tf_ctr.training.temperature import routers


class RouteLogger(keras.callbacks.Callback):
    """Logs the share of instances on the frozen branch and the temperature.

    After every epoch, for every field and layer that AutoFT routes: the share of
    the data set's instances that take the frozen branch at inference, to the
    TensorBoard run `routes` as `frozen_share/{site}`, beside `temperature`. Does
    nothing for a model without routes of its own.

    Source: AutoFT (arXiv 2106.04873), Figure 3.

    Args:
        dataset: Batches to route, usually the validation set.
        log_dir: TensorBoard folder; `None` only fills `history`.

    Attributes:
        history: `pandas.DataFrame`, a row per epoch and a column per site.

    Example:

    >>> RouteLogger(dataset=None).history.empty
    True
    """

    def __init__(self, dataset, log_dir=None):
        super().__init__()
        self.dataset = dataset
        self.log_dir = None if log_dir is None else pathlib.Path(log_dir)
        self.history = pd.DataFrame()
        self._gates = None
        self._writer = None

    def on_train_begin(self, logs=None):
        """Forgets the run before."""
        self.history = pd.DataFrame()
        self._gates = gate_model(self.model) if has_routes(self.model) else None
        if self.log_dir is not None and self._gates is not None:
            self._writer = tf.summary.create_file_writer(str(self.log_dir / "routes"))

    def on_epoch_end(self, epoch, logs=None):
        """Routes the data set and logs the shares."""
        if self._gates is None:
            return
        shares = mean_gates(self._gates, self.dataset)
        self.history = pd.concat([self.history, shares.to_frame(epoch).T])
        if self._writer is None:
            return
        temperature = float(routers(self.model)[0].current_temperature)
        with self._writer.as_default(step=epoch):
            tf.summary.scalar("temperature", temperature)
            for site, share in shares.items():
                tf.summary.scalar(f"frozen_share/{site}", share)
        self._writer.flush()

    def on_train_end(self, logs=None):
        """Closes the log."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
