"""Layers and weights by their path, and the patterns that name them.

The path of a layer is its name, inside a `Sequential` that of both: `"deep_0"`,
`"deep_0/norm"`. The path of a weight ends in its own name: `"deep_0/norm/gamma"`.
`variable.path` of Keras is no such path: it changes when a model is reloaded.
"""

import fnmatch
import itertools

import keras

from tf_ctr.errors import unknown_name


def layers_by_path(model, prefix=""):
    """Returns every layer with weights, a `Sequential` before what it holds.

    Args:
        model: A `keras.Model`.
        prefix: Put before every path.

    Returns:
        `{path: layer}`, in the order of the model.
    """
    found = {}
    for layer in model.layers:
        if layer.weights:
            path = prefix + layer.name
            found[path] = layer
            if isinstance(layer, keras.Model):
                found |= layers_by_path(layer, f"{path}/")
    return found


def weights_by_path(model):
    """Returns `[(path, variable)]` of all weights of `model`."""
    return [
        (f"{path}/{variable.name}", variable)
        for path, layer in layers_by_path(model).items()
        if not isinstance(layer, keras.Model)
        for variable in layer.weights
    ]


def select(patterns, *models, weights=True):
    """Returns the paths of layers, and of weights, that some patterns name.

    Args:
        patterns: Shell patterns (`fnmatch`) of paths; `*` crosses the `/`.
        *models: Where to look.
        weights: Whether a pattern may name a weight.

    Returns:
        Set of paths.

    Raises:
        ValueError: If a pattern names nothing, listing the layers there are.
    """
    layers = {path for model in models for path in layers_by_path(model)}
    paths = set(layers)
    if weights:
        paths |= {path for model in models for path, _ in weights_by_path(model)}
    chosen = set()
    for pattern in patterns:
        found = fnmatch.filter(paths, pattern)
        if not found:
            raise ValueError(unknown_name("layer with weights", pattern, layers))
        chosen.update(found)
    return chosen


def chosen_part(path, chosen):
    """Returns the largest part of the model around `path` that is in `chosen`.

    Args:
        path: Path of a layer or a weight.
        chosen: Paths, as `select` gives.

    Returns:
        `path` or what it is in, e.g. `"deep_0"` of `"deep_0/norm"`; `None` if none of
        them was chosen.

    Example:

    >>> chosen_part("deep_0/norm/gamma", {"deep_0/norm"})
    'deep_0/norm'
    """
    parts = itertools.accumulate(path.split("/"), lambda a, b: f"{a}/{b}")
    return next((part for part in parts if part in chosen), None)
