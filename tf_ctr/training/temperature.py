"""Annealing of the Gumbel-softmax temperature."""

import keras

from tf_ctr.errors import explain
from tf_ctr.layers import GumbelRouter


class TemperatureAnnealing(keras.callbacks.Callback):
    """Lowers the temperature of every `GumbelRouter`, exponentially per epoch.

    From the layer's own `temperature` in the first epoch to `final_temperature` in
    epoch number `epochs`, then constant. A function of the epoch alone, so that a
    resumed run goes on as it would have; another `fit` starts again. A model without
    routers is left alone.

    Source: AutoFT (arXiv 2106.04873), section 3.3, says that the distribution "can
    be smoothly annealed" and gives no schedule; this one is ours.

    Args:
        final_temperature: Temperature at the end; the layer's own value keeps it
            constant, as SpotTune's code does.
        epochs: Number of epochs to get there.

    Raises:
        ValueError: If an argument is not positive.

    Example:

    >>> TemperatureAnnealing(0.5, epochs=3).at(epoch=2, start=5.0)
    0.5
    """

    def __init__(self, final_temperature=0.5, epochs=10):
        super().__init__()
        if final_temperature <= 0 or epochs < 1:
            raise ValueError(
                explain(
                    "final_temperature > 0 and epochs >= 1",
                    f"{final_temperature} and {epochs}",
                    "use the defaults 0.5 and 10",
                )
            )
        self.final_temperature = final_temperature
        self.epochs = epochs

    def at(self, epoch, start):
        """Returns the temperature in `epoch`, counted from 0."""
        progress = min(epoch / max(self.epochs - 1, 1), 1.0)
        return start * (self.final_temperature / start) ** progress

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the temperature."""
        for router in routers(self.model):
            temperature = self.at(epoch, router.temperature)
            router.current_temperature.assign(temperature)


def routers(model):
    """Returns the `GumbelRouter` layers of a model, and of the models within it."""
    found = []
    for layer in model.layers:
        if isinstance(layer, GumbelRouter):
            found.append(layer)
        elif isinstance(layer, keras.Model):
            found += routers(layer)
    return found
