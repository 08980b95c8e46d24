"""Adds a term to the argument of a layer's activation."""

from typing import Any

import keras
from keras import layers

from tf_ctr.layers import APGDense, Sum
from tf_ctr.surgery.names import ACTIVATION, SUM
from tf_ctr.surgery.rebuild import first_argument

# Layers `f(x W + b)` in which the activation `f` can be replaced through the config.
ACTIVATED = (layers.Dense, layers.EinsumDense, APGDense)
ACTIVATIONS = (
    layers.Activation,
    layers.ELU,
    layers.LeakyReLU,
    layers.PReLU,
    layers.ReLU,
)


def add_before_activation(
    layer: keras.Layer, term: keras.KerasTensor, *args: Any, **kwargs: Any
) -> keras.KerasTensor:
    """Calls `layer` with `term` added to the argument of its activation.

    The result is `f(x W + b + term)` for a dense layer. For a small model of dense
    layer, norm and activation it is `f(norm(x W + b) + term)`, so that the statistics
    of the norm stay valid. For a layer of another kind, such as a cross layer, `term`
    is added to the output.

    Args:
        layer: A layer that has no weights yet; a small model may be called once.
        term: `[B, ..., D]`, D the width of the layer.
        *args: The arguments of the layer.
        **kwargs: The keyword arguments of the layer.

    Returns:
        The output. The weights are in a layer of the same name, in the same order. A
        dense layer is followed by `{name}_sum` and `{name}_activation`, which are
        inside a small model.
    """
    x = first_argument(args, kwargs)
    if isinstance(layer, keras.Model) and _last_activated(layer) is not None:
        return _add_inside(layer, term, x)
    total = Sum(name=layer.name + SUM, dtype=layer.dtype_policy)
    if isinstance(layer, ACTIVATIONS):
        return layer(total(x, term))
    if not _is_activated(layer):
        return total(layer(*args, **kwargs), term)
    linear = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    activation = layers.Activation(
        layer.activation, name=layer.name + ACTIVATION, dtype=layer.dtype_policy
    )
    return activation(total(linear(*args, **kwargs), term))


def _is_activated(layer: keras.Layer) -> bool:
    return isinstance(layer, ACTIVATED) and layer.activation not in (
        None,
        keras.activations.linear,
    )


def _last_activated(model: keras.Model) -> keras.Layer | None:
    found = None
    for part in model.layers:
        if isinstance(part, ACTIVATIONS) or _is_activated(part):
            found = part
    return found


def _add_inside(
    model: keras.Model, term: keras.KerasTensor, x: Any
) -> keras.KerasTensor:
    """Calls a small model with the term as one more input."""
    tensors = x if isinstance(x, list | tuple) else [x]
    *own, addition = inputs = [
        keras.Input(t.shape[1:], dtype=t.dtype) for t in (*tensors, term)
    ]
    activated = _last_activated(model)

    def call(part, *args, **kwargs):
        if part is activated:
            return add_before_activation(part, addition, *args, **kwargs)
        return part(*args, **kwargs)

    if isinstance(model, keras.Sequential):
        (output,) = own
        for part in model.layers:
            output = call(part, output)
    else:
        # The view has the term as an input; only `call` uses it.
        output = keras.models.clone_model(
            keras.Model([*model.inputs, addition], model.output),
            input_tensors=inputs,
            clone_function=lambda part: part,
            call_function=call,
        ).output
    return keras.Model(inputs, output, name=model.name)([*tensors, term])
