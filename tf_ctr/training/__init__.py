"""Defaults for compiling and fitting click models; both stay Keras's own methods.

- `compile` and `callbacks` return what a training run usually needs.
- `EarlyStopping` stops a run, restores its best weights, and resumes after a kill.
- `TemperatureAnnealing` and `RouteLogger` are for models with routers, as
  `tf_ctr.transfer.autoft` makes them: an instance takes a *route*, at each depth the
  frozen or the tuned branch, and a router draws it at a *temperature*.
- `measure_batch_norm` measures the moving statistics of BatchNorm again.
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
