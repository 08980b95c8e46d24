"""Defaults for compiling and fitting click models with Keras's own methods.

- `compile` compiles a model with the usual optimizer, loss and metrics; `callbacks`
  returns the usual callbacks of `model.fit`.
- `LabelCrossentropy` is the loss of a label that may not be known yet, and
  `weigh_by_uncertainty` learns how much each of several labels counts.
- `StopIfNotFinite` ends a training whose loss or weights are NaN or infinite, by a
  `DivergedError` that says where.
- `Evaluation` logs exact metrics after every epoch, GAUC and those by domain too.
- `EarlyStopping` stops a run, restores its best weights, and survives a kill.
- `TemperatureAnnealing` and `RouteLogger` are for models with routers, as
  `tf_ctr.transfer.autoft` makes them. An instance takes a *route*: at each depth the
  frozen or the tuned branch. A router samples the route at a *temperature*.
- `TensorBoard` writes curves, settings, scores, tables and the graph of a run;
  `log_test` adds the test metrics.
- `measure_batch_norm` measures the moving statistics of BatchNorm after training.
- `workers` trains one model on many machines; `shard` and `is_chief` say which of them
  this process is, and `LostWorkerError` that another one has ended.
"""

from tf_ctr.training.batch_norm import measure_batch_norm
from tf_ctr.training.crossentropy import LabelCrossentropy
from tf_ctr.training.early_stopping import EarlyStopping
from tf_ctr.training.evaluating import Evaluation
from tf_ctr.training.finite import DivergedError, StopIfNotFinite
from tf_ctr.training.fitting import callbacks, compile
from tf_ctr.training.meeting import LostWorkerError
from tf_ctr.training.routing import RouteLogger, TemperatureAnnealing
from tf_ctr.training.tensorboard import TensorBoard, log_test
from tf_ctr.training.uncertainty import weigh_by_uncertainty
from tf_ctr.training.workers import is_chief, shard, workers

__all__ = [
    "DivergedError",
    "EarlyStopping",
    "Evaluation",
    "LabelCrossentropy",
    "LostWorkerError",
    "RouteLogger",
    "StopIfNotFinite",
    "TensorBoard",
    "TemperatureAnnealing",
    "callbacks",
    "compile",
    "is_chief",
    "log_test",
    "measure_batch_norm",
    "shard",
    "weigh_by_uncertainty",
    "workers",
]


def __dir__() -> list[str]:
    return [*__all__]
