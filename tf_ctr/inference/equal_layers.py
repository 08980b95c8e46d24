"""Merges equal layers with equal inputs."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import tree

from tf_ctr.surgery import copy_weights, inputs_like, rebuild

# Parts of a configuration, and layers, that have no effect at inference.
TRAINING_ONLY = re.compile(
    "trainable|seed|.*_(initializer|regularizer|constraint)|learning_rate_multiplier"
)
NOISE = ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise")


def merge_equal_layers(model: keras.Model) -> keras.Model:
    """Returns a model that calls only one of several layers that compute the same.

    Two layers compute the same if they have the same class, configuration, weights and
    inputs. A frozen source tower and a target tower often have such layers: tables that
    were not trained, and all layers that depend only on these. The scores stay equal to
    the last bit.

    Args:
        model: A functional `keras.Model` with dict inputs; it is not changed.

    Returns:
        A new, uncompiled `keras.Model`; `model` itself, if no two layers with weights
        are equal.

    Example:

    >>> x = keras.Input((2,), name="x")
    >>> parts = [keras.layers.Dense(2, "relu", name=n) for n in ("deep", "deep_source")]
    >>> y = keras.layers.Add(name="sum")([part(x) for part in parts])
    >>> model = keras.Model({"x": x}, y)
    >>> parts[1].set_weights(parts[0].get_weights())
    >>> [layer.name for layer in merge_equal_layers(model).layers]
    ['x', 'deep', 'sum']
    """
    # Equal layers without weights, such as two Add, do not justify a new model.
    weighted = [layer for layer in model.layers if layer.weights]
    if all(name == own for name, own in _first_of_equals(weighted).items()):
        return model
    first = _first_of_equals(model.operations)
    outputs: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def call(layer, *args, **kwargs):
        key = (first[layer.name], *map(_identity, tree.flatten((args, kwargs))))
        if key not in outputs:
            # The arguments are kept alive, as Python reuses the id of a freed tensor.
            outputs[key] = (layer(*args, **kwargs), args, kwargs)
        return outputs[key][0]

    merged = rebuild(model, inputs_like(model), call, trainable=None)
    copy_weights(model, merged)
    return merged


def _first_of_equals(operations: Sequence[keras.Operation]) -> dict[str, str]:
    """Returns `{name: name of the first equal layer}`, often the layer itself."""
    found: dict[tuple[type, str, bytes], str] = {}
    first: dict[str, str] = {}
    for operation in operations:
        config = repr(_at_inference({**operation.get_config(), "name": ""}))
        key = (type(operation), config, _digest(operation))
        first[operation.name] = found.setdefault(key, operation.name)
    return first


def _at_inference(config: Any) -> Any:
    """Returns a configuration without the parts that matter in training only."""
    if isinstance(config, dict):
        noise = config.get("class_name") in NOISE
        return {
            key: _at_inference(value)
            for key, value in config.items()
            if not TRAINING_ONLY.fullmatch(key) and not (noise and key == "config")
        }
    if isinstance(config, list | tuple):
        return [_at_inference(value) for value in config]
    return config


def _digest(operation):
    """Returns a hash of all weights, as comparing all pairs of tables takes long."""
    digest = hashlib.sha256()
    for weight in getattr(operation, "weights", ()):
        values = np.ascontiguousarray(weight)
        digest.update(f"{values.dtype} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.digest()


def _identity(value):
    """Returns a key for an argument of a call, by tensor or by constant value."""
    return id(value) if isinstance(value, keras.KerasTensor) else repr(value)
