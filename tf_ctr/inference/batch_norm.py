"""Folds BatchNorm layers into the Dense layers before them."""

from typing import Any

import keras
import numpy as np
from keras.layers import BatchNormalization, Dense


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Returns a model in which a `Dense` includes the BatchNorm after it.

    `gamma (x W + b - mean) / sqrt(var + eps) + beta` is `x W' + b'`, which saves a
    layer and four vectors. A norm is folded if it is the only layer that a linear
    `Dense` feeds, in the model and in the models inside it. The scores are the same
    except for rounding.

    Args:
        model: A functional or sequential `keras.Model`; it is not changed.

    Returns:
        A new, uncompiled `keras.Model`; `model` itself, if there is nothing to fold.

    Example:

    >>> x = keras.Input((2,), name="x")
    >>> norm = BatchNormalization(name="norm")(Dense(3, name="deep_0")(x))
    >>> [layer.name for layer in fold_batch_norm(keras.Model({"x": x}, norm)).layers]
    ['x', 'deep_0']
    """
    if not _has_pairs(model):
        return model
    folded = type(model).from_config(_folded_config(model, model.get_config()))
    _copy_weights(model, folded)
    return folded


def _has_pairs(model: keras.Model) -> bool:
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return bool(_pairs(model)) or any(map(_has_pairs, inner))


def _pairs(model: keras.Model) -> dict[str, str]:
    """Returns `{name of a BatchNorm: name of the Dense that feeds only it}`."""
    if not any(type(layer) is BatchNormalization for layer in model.layers):
        return {}
    config = model.get_config()
    calls = _calls(config)
    called = [name for name, _ in calls] + _sources(config.get("output_layers"))
    layers = {layer.name: layer for layer in model.layers}
    pairs = {}
    for name, parents in calls:
        dense = parents[0] if parents else ""
        fed = [child for child, before in calls if dense in before]
        # Each is called once; an output of the model counts as one more call.
        once = called.count(dense) == 1 and [n for n, _ in calls].count(name) == 1
        if fed == [name] and once and _foldable(layers.get(dense), layers.get(name)):
            pairs[name] = dense
    return pairs


def _foldable(dense: Any, norm: Any) -> bool:
    """Returns whether one layer is a linear Dense and the other its BatchNorm."""
    # By exact type, as a subclass may compute something else.
    if type(dense) is not Dense or type(norm) is not BatchNormalization:
        return False
    if norm.axis not in (-1, norm.input_spec.ndim - 1):
        return False  # The norm does not normalise the units of the Dense.
    linear = dense.activation is keras.activations.linear
    return linear and not dense.lora_enabled and dense.quantization_mode is None


def _calls(config: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Returns `(layer, names of its parents)` for each call in a model's config."""
    if "input_layers" not in config:  # A Sequential: each layer feeds the next.
        names = [layer["config"]["name"] for layer in config["layers"]]
        return [(name, names[i : i + 1]) for i, name in enumerate(names[1:])]
    return [
        (layer["name"], _sources(node))
        for layer in config["layers"]
        for node in layer["inbound_nodes"]
    ]


def _sources(node: Any) -> list[str]:
    """Returns the names of the layers whose outputs a part of a config takes."""
    if _is_history(node):
        return [node[0]]
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list | tuple):
        return [name for part in node for name in _sources(part)]
    return []


def _is_history(node: Any) -> bool:
    """Returns whether `node` is an output of a layer: `[name, call, index]`."""
    return isinstance(node, list | tuple) and list(map(type, node)) == [str, int, int]


def _folded_config(model, config):
    """Returns a model's configuration without the BatchNorms that are folded."""
    pairs, kept = _pairs(model), []
    layers = {layer.name: layer for layer in model.layers}
    for record in config["layers"]:
        name = record["config"]["name"]
        if name in pairs.values():
            record = {**record, "config": {**record["config"], "use_bias": True}}
        if isinstance(layers.get(name), keras.Model):
            inner = _folded_config(layers[name], record["config"])
            record = {**record, "config": inner}
        if name not in pairs:
            kept.append(record)
    return _rewired({**config, "layers": kept}, pairs)


def _rewired(node, pairs):
    """Connects the layers that a folded norm fed to its Dense instead."""
    if _is_history(node):
        return [pairs.get(node[0], node[0]), *node[1:]]
    if isinstance(node, dict):
        return {key: _rewired(value, pairs) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(_rewired(value, pairs) for value in node)
    return node


def _copy_weights(source, target):
    dense_of = _pairs(source)
    norm_of = {dense: norm for norm, dense in dense_of.items()}
    for layer in source.layers:
        if isinstance(layer, keras.Model):
            _copy_weights(layer, target.get_layer(layer.name))
        elif layer.name in norm_of:
            norm = source.get_layer(norm_of[layer.name])
            target.get_layer(layer.name).set_weights(_folded(layer, norm))
        elif layer.name not in dense_of:
            target.get_layer(layer.name).set_weights(layer.get_weights())


def _folded(dense, norm):
    """Returns `W'` and `b'`, computed in float64 so that they are rounded once."""
    kernel, bias, mean, variance, gamma, beta = (
        None if weight is None else np.asarray(weight, "float64")
        for weight in (
            dense.kernel,
            dense.bias,
            norm.moving_mean,
            norm.moving_variance,
            norm.gamma,
            norm.beta,
        )
    )
    scale = (1 if gamma is None else gamma) / np.sqrt(variance + norm.epsilon)
    shift = ((0 if bias is None else bias) - mean) * scale
    return [kernel * scale, shift + (0 if beta is None else beta)]
