"""Compile and fit with the defaults that CTR models need."""

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
