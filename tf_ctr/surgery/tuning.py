"""Sets which layers of a model are trained, and at which learning rate."""

import math
from collections.abc import Mapping, Sequence

import keras

from tf_ctr.errors import explain
from tf_ctr.surgery.names import chosen_part, layers_by_path, select, weights_by_path


def freeze_layers(model: keras.Model, patterns: Sequence[str]) -> None:
    """Freezes layers of `model`, in place; a frozen BatchNorm is in inference mode.

    Args:
        model: A `keras.Model`. Compile it afterwards.
        patterns: Patterns (`fnmatch`) of layers, e.g. `"*_embedding"`, or of parts
            of a `Sequential`, e.g. `"deep_*/norm"`.

    Raises:
        ValueError: If a pattern names no layer, or nothing is left to train. The
            model does not change then.

    Example:

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


def set_learning_rate_multipliers(
    model: keras.Model, multipliers: Mapping[str, float]
) -> None:
    """Sets factors on the learning rate of layers, which `tf_ctr.optimizers` apply.

    The model is changed in place. Other optimizers ignore the factors. The `.keras`
    file of a compiled model holds them; after loading a model that was not compiled,
    call this function again.

    Args:
        model: A `keras.Model`. Compile it afterwards.
        multipliers: `{pattern: factor}`, patterns (`fnmatch`) of layers or of parts
            of them as in `freeze_layers`, factors greater than 0. If several patterns
            name a layer, the last one applies. Other layers keep their factor, which is
            1 unless the layer sets another.

    Raises:
        ValueError: If a pattern names no layer, or a factor is not positive. The
            model does not change then.

    Example:

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
                    "freeze a layer that should not move",
                )
            )
    for pattern, factor in multipliers.items():
        for path, variable in weights_by_path(model):
            if chosen_part(path, chosen[pattern]):
                variable.learning_rate_multiplier = float(factor)
