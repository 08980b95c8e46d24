"""Multiplies out the factors of APG's over-parameterised layers."""

from collections.abc import Iterator
from typing import Any

import keras

from tf_ctr.layers.generated.apg_dense import FACTORS, APGDense


def collapse(model: keras.Model) -> keras.Model:
    """Returns a model with `V = Vr Vl` and `U = Ur Ul` instead of the factors.

    Every `APGDense` of version v5 becomes one of version v4, with the same outputs,
    fewer weights and less work. Everything else is copied. Keep the given model for
    further training.

    Source: APG (arXiv 2203.16218), section 3.2, "No Additional Inference Latency
    and Memory Cost".

    Args:
        model: A functional `keras.Model`; it is not changed.

    Returns:
        A new, uncompiled `keras.Model`; `model` itself, if it has no such layer.

    Example:

    >>> import keras
    >>> from tf_ctr.layers import APGDense
    >>> x = keras.Input((6,), name="x")
    >>> y = APGDense(6, rank=2, over_parameter=9, name="deep_0")(x, x)
    >>> model = keras.Model({"x": x}, y)
    >>> model.count_params(), collapse(model).count_params()
    (178, 58)
    """
    if not any(_over_parameterised(layer) for layer in _flat(model)):
        return model
    collapsed = type(model).from_config(_collapsed_config(model.get_config()))
    _copy_weights(model, collapsed)
    return collapsed


def _over_parameterised(layer: keras.Layer) -> bool:
    return isinstance(layer, APGDense) and layer.version == "v5"


def _flat(model: keras.Model) -> Iterator[keras.Layer]:
    """Yields the layers of a model and of the models inside it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _flat(layer)
        else:
            yield layer


def _collapsed_config(config: Any) -> Any:
    """Replaces v5 with v4 in the nested configuration of a model."""
    if isinstance(config, list | tuple):
        return type(config)(_collapsed_config(part) for part in config)
    if not isinstance(config, dict):
        return config
    config = {key: _collapsed_config(part) for key, part in config.items()}
    is_layer = config.get("registered_name") == keras.saving.get_registered_name(
        APGDense
    )
    if is_layer and config["config"]["version"] == "v5":
        config["config"] |= {"version": "v4", "over_parameter": None}
    return config


def _copy_weights(source, target):
    for layer in source.layers:
        twin = target.get_layer(layer.name)
        if isinstance(layer, keras.Model):
            _copy_weights(layer, twin)
        else:
            twin.set_weights(_collapsed_weights(layer, twin))


def _collapsed_weights(layer, twin):
    if not _over_parameterised(layer):
        return layer.get_weights()
    names = [weight.name for weight in layer.weights]
    values = dict(zip(names, layer.get_weights(), strict=True))
    for name, (left, right) in FACTORS.items():
        values[name] = values[left] @ values[right]
    return [values[weight.name] for weight in twin.weights]
