"""Cross-domain click-through-rate prediction with TensorFlow and Keras 3.

Importing the package registers its layers, optimizers and metrics with Keras, so that
`keras.saving.load_model` needs no `custom_objects`.

Start with a `Schema` of `Categorical`, `Numeric`, `Sequence` and `Vector` fields.
`data` turns rows into batches, `backbones` turns a schema into a `keras.Model`,
`transfer` turns a source model into a target model, and `export` writes a model for TF
Serving.
`python -m tf_ctr` prints the installed versions; `tf_ctr demo` runs a transfer from
start to end.
"""

import configparser
import importlib.metadata
import pathlib

from tf_ctr import (
    backbones,
    continual,
    data,
    datasets,
    ecdctr,
    evaluation,
    export,
    inference,
    interop,
    joint,
    layers,
    metrics,
    optimizers,
    plots,
    serving,
    training,
    transfer,
)
from tf_ctr.features import (
    Categorical,
    Cross,
    Numeric,
    Schema,
    Sequence,
    TimeOf,
    Vector,
)
from tf_ctr.reports import report

__all__ = [
    "Categorical",
    "Cross",
    "Numeric",
    "Schema",
    "Sequence",
    "TimeOf",
    "Vector",
    "__version__",
    "backbones",
    "continual",
    "data",
    "datasets",
    "ecdctr",
    "evaluation",
    "export",
    "inference",
    "interop",
    "joint",
    "layers",
    "metrics",
    "optimizers",
    "plots",
    "report",
    "serving",
    "training",
    "transfer",
]


def _version() -> str:
    """Returns the installed version, or that of a checkout that is not installed."""
    try:
        return importlib.metadata.version("tf_ctr")
    except importlib.metadata.PackageNotFoundError:
        config = configparser.ConfigParser()
        config.read(pathlib.Path(__file__).parents[1] / "setup.cfg")
        return config.get("metadata", "version", fallback="0") + "+checkout"


__version__ = _version()


def __dir__() -> list[str]:
    return [*__all__]
