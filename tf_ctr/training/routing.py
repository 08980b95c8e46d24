"""Callbacks for models with routers: they anneal temperatures and log route shares."""

import os
import pathlib
from collections.abc import Mapping

import keras
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers import GumbelRouter
from tf_ctr.surgery import Graph, gate_model
from tf_ctr.surgery.routes import mean_gates


class TemperatureAnnealing(keras.callbacks.Callback):
    """Lowers the temperature of every `GumbelRouter`, exponentially per epoch.

    The temperature falls from the layer's own `temperature` in the first epoch to
    `final_temperature` in epoch number `epochs`, then stays constant. It depends only
    on the epoch, so a resumed run anneals as if it had not been killed, and another
    `fit` starts over. A model without routers does not change.

    Source: AutoFT (arXiv 2106.04873), section 3.3, says that the distribution "can
    be smoothly annealed", but gives no schedule; this one is ours.

    Args:
        final_temperature: Temperature at the end. The layer's own value keeps the
            temperature constant, as SpotTune's code does.
        epochs: Number of epochs until the final temperature.

    Raises:
        ValueError: If an argument is not positive.

    Example:

    >>> TemperatureAnnealing(0.5, epochs=3).at(epoch=2, start=5.0)
    0.5
    """

    def __init__(self, final_temperature: float = 0.5, epochs: int = 10):
        super().__init__()
        check_positive(epochs=epochs)
        if final_temperature <= 0:
            raise ValueError(
                explain("final_temperature > 0", final_temperature, "use 0.5")
            )
        self.final_temperature = final_temperature
        self.epochs = epochs

    def at(self, epoch: int, start: float) -> float:
        """Returns the temperature in `epoch`, counted from 0."""
        # With one epoch, the first is the last: `max` avoids a division by zero.
        progress = min(epoch / max(self.epochs - 1, 1), 1.0)
        return start * (self.final_temperature / start) ** progress

    def on_epoch_begin(
        self, epoch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Sets the temperature of the epoch."""
        for router in routers(self.model):
            temperature = self.at(epoch, router.temperature)
            router.current_temperature.assign(temperature)


class RouteLogger(keras.callbacks.Callback):
    """Logs the share of instances on the frozen branch, and the temperature.

    For every field and layer that AutoFT routes, it logs after every epoch the share of
    the dataset's instances that take the frozen branch at inference. In the TensorBoard
    run `routes` it is `frozen_share/{site}`, beside `temperature`. For a model without
    routes of its own it does nothing.

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

    def __init__(
        self,
        dataset: tf.data.Dataset | None,
        log_dir: str | os.PathLike | None = None,
    ):
        super().__init__()
        self.dataset = dataset
        self.log_dir = None if log_dir is None else pathlib.Path(log_dir)
        self.history = pd.DataFrame()
        self._gates = None
        self._writer = None

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Clears the history, and opens the log."""
        self.history = pd.DataFrame()
        self._gates = gate_model(self.model) if Graph(self.model).routes else None
        if self.log_dir is not None and self._gates is not None:
            self._writer = tf.summary.create_file_writer(str(self.log_dir / "routes"))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Routes the dataset and logs the shares."""
        if self._gates is None:
            return
        shares = mean_gates(self._gates, self.dataset)
        self.history = pd.concat([self.history, shares.to_frame(epoch).T])
        if self._writer is None:
            return
        temperature = float(routers(self.model)[0].current_temperature.numpy())
        with self._writer.as_default(step=epoch):
            tf.summary.scalar("temperature", temperature)
            for site, share in shares.items():
                tf.summary.scalar(f"frozen_share/{site}", share)
        self._writer.flush()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Closes the log."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def routers(model: keras.Model) -> list[GumbelRouter]:
    """Returns the `GumbelRouter` layers of a model and of the models in it."""
    found = []
    for layer in model.layers:
        if isinstance(layer, GumbelRouter):
            found.append(layer)
        elif isinstance(layer, keras.Model):
            found += routers(layer)
    return found
