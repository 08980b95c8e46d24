"""Layers that compute the same of the same, made one, for inference."""

import re

import keras
import numpy as np
from keras import tree

from tf_ctr.surgery import copy_weights, inputs_like, rebuild

# What tells two layers apart in training alone.
TRAINING_ONLY = re.compile(
    "trainable|seed|.*_(initializer|regularizer|constraint)|learning_rate_multiplier"
)
NOISE = ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise")


def merge_equal_layers(model):
    """Returns a model in which equal layers with equal inputs are one, called once.

    A frozen source tower often has such twins in the target's: tables that were not
    trained, and all that depends on them alone. The scores stay what they are, to the
    last bit.

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
    weighted = [layer for layer in model.layers if layer.weights]
    if all(name == own for name, own in _first_of_equals(weighted).items()):
        return model
    first, outputs = _first_of_equals(model.operations), {}

    def call(layer, *args, **kwargs):
        key = (first[layer.name], *map(_identity, tree.flatten((args, kwargs))))
        if key not in outputs:
            outputs[key] = (layer(*args, **kwargs), args, kwargs)
        return outputs[key][0]

    merged = rebuild(model, inputs_like(model), call, trainable=None)
    copy_weights(model, merged)
    return merged


def _first_of_equals(operations):
    """Returns `{layer: the first layer that computes the same}`, all names."""
    kinds, first = {}, {}
    for operation in operations:
        config = operation.get_config()
        kind = (type(operation), repr(_at_inference({**config, "name": ""})))
        for other in kinds.setdefault(kind, []):
            if _equal_weights(operation, other):
                first[operation.name] = other.name
                break
        else:
            kinds[kind].append(operation)
            first[operation.name] = operation.name
    return first


def _at_inference(config):
    """Drops what is for training only from a configuration."""
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


def _equal_weights(one, other):
    weights = (getattr(each, "weights", ()) for each in (one, other))
    pairs = zip(*weights, strict=False)
    return all(
        a.shape == b.shape and np.array_equal(np.asarray(a), np.asarray(b))
        for a, b in pairs
    )


def _identity(value):
    """What tells an argument of a call from another: the tensor, or the constant."""
    return id(value) if isinstance(value, keras.KerasTensor) else repr(value)
