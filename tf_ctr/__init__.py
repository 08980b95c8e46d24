"""Cross-domain click-through-rate prediction with TensorFlow and Keras 3.

Importing the package registers its layers, optimizers and metrics with Keras, so that
`keras.saving.load_model` needs no `custom_objects`.
"""

from tf_ctr import (
    backbones,
    continual,
    data,
    datasets,
    ecdctr,
    evaluation,
    export,
    inference,
    joint,
    layers,
    metrics,
    optimizers,
    serving,
    training,
    transfer,
)
from tf_ctr.features import Categorical, Numeric, Schema, Sequence

__all__ = [
    "Categorical",
    "Numeric",
    "Schema",
    "Sequence",
    "backbones",
    "continual",
    "data",
    "datasets",
    "ecdctr",
    "evaluation",
    "export",
    "inference",
    "joint",
    "layers",
    "metrics",
    "optimizers",
    "serving",
    "training",
    "transfer",
]
