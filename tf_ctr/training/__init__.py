"""Defaults for compiling and fitting click models with Keras's own methods.

- `compile` compiles a model with the usual optimizer, loss and metrics; `callbacks`
  returns the usual callbacks of `model.fit`.
- `EarlyStopping` stops a run, restores its best weights, and survives a kill.
- `TemperatureAnnealing` and `RouteLogger` are for models with routers, as
  `tf_ctr.transfer.autoft` makes them. An instance takes a *route*: at each depth the
  frozen or the tuned branch. A router samples the route at a *temperature*.
- `measure_batch_norm` measures the moving statistics of BatchNorm after training.
"""

from tf_ctr.training.batch_norm import measure_batch_norm
from tf_ctr.training.early_stopping import EarlyStopping
from tf_ctr.training.fitting import callbacks, compile
from tf_ctr.training.routing import RouteLogger, TemperatureAnnealing

__all__ = [
    "EarlyStopping",
    "RouteLogger",
    "TemperatureAnnealing",
    "callbacks",
    "compile",
    "measure_batch_norm",
]


def __dir__() -> list[str]:
    return [*__all__]
