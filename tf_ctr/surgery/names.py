"""Layers and weights by their path, and the patterns that name them.

The path of a layer is its name, inside a `Sequential` that of both: `"deep_0"`,
`"deep_0/norm"`. The path of a weight ends in its own name: `"deep_0/norm/gamma"`.
`variable.path` of Keras is no such path: it changes when a model is reloaded.
"""

import fnmatch
import itertools
import math

import keras

from tf_ctr.errors import explain, unknown_name

EMBEDDING = "_embedding"

FROZEN = "_frozen"

SOURCE = "_source"

ROUTE = "_route"

ROUTER = "_router"

DUAL = "_dual"


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


def freeze_layers(model, patterns):
    """Freezes layers of `model`, in place; a frozen BatchNorm is in inference mode.

    Args:
        model: A `keras.Model`. Compile it afterwards.
        patterns: Patterns (`fnmatch`) of layers, e.g. `"*_embedding"`, or of parts
            of a `Sequential`, e.g. `"deep_*/norm"`.

    Raises:
        ValueError: If a pattern names no layer, or nothing is left to train. The
            model stays as it was.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, name="deep_0")(inputs["age"])
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(hidden))
    >>> freeze_layers(model, ["deep_*"])
    >>> [layer.trainable for layer in model.layers]
    [True, False, True]
    """
    chosen = select(patterns, model, weights=False)
    layers = layers_by_path(model)
    trained = {id(v) for v in model.trainable_variables}
    paths = [path for path, v in weights_by_path(model) if id(v) in trained]
    if all(chosen_part(path, chosen) for path in paths):
        raise ValueError(
            explain(
                "a layer left to train",
                f"freeze={tuple(patterns)}, which freezes all of {sorted(layers)}",
                "name fewer layers",
            )
        )
    for path, layer in layers.items():
        if path in chosen:
            layer.trainable = False


def set_learning_rate_multipliers(model, multipliers):
    """Sets the factors that `tf_ctr.optimizers` put on the learning rate of layers.

    In place; other optimizers ignore them. A model that is compiled keeps them in its
    `.keras` file; after loading one that is not, call this again.

    Args:
        model: A `keras.Model`. Compile it afterwards.
        multipliers: `{pattern: factor}`, patterns (`fnmatch`) of layers or of parts
            of them as in `freeze_layers`, factors greater than 0. Of several
            patterns that name a layer the last one holds; the others of the
            model keep the factor they have, 1 unless the layer says otherwise.

    Raises:
        ValueError: If a pattern names no layer, or a factor is not positive. The
            model stays as it was.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(inputs["age"]))
    >>> set_learning_rate_multipliers(model, {"log*": 0.1})
    >>> model.get_layer("logit").kernel.learning_rate_multiplier
    0.1
    """
    chosen = {pattern: select([pattern], model) for pattern in multipliers}
    for pattern, factor in multipliers.items():
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError(
                explain(
                    f"a positive learning rate multiplier for '{pattern}'",
                    factor,
                    "freeze a layer that is not to move",
                )
            )
    for pattern, factor in multipliers.items():
        for path, variable in weights_by_path(model):
            if chosen_part(path, chosen[pattern]):
                variable.learning_rate_multiplier = float(factor)
