"""Rebuilds a functional model layer by layer; every transfer method uses it.

The graph of a trained model runs again on fresh inputs, with a hook
`call(layer, *args)` in place of each layer. The source is copied: its layers are
neither shared nor changed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from tf_ctr.errors import explain
from tf_ctr.surgery.functional import check_functional


def rebuild(
    model: keras.Model,
    inputs: Mapping[str, keras.KerasTensor],
    call: Callable[..., Any] | None = None,
    suffix: str = "",
    trainable: bool | None = True,
) -> keras.Model:
    """Runs the graph of `model` on `inputs` with new layers.

    Args:
        model: The functional model to rebuild.
        inputs: `{name: keras.Input}`, at least those of `model`.
        call: A function `call(layer, *args, **kwargs) -> output`, called in place of
            each layer with a copy of it. The copy has the name of the original plus
            `suffix`, and no weights before it is called. Defaults to calling the copy.
        suffix: Appended to the name of every layer.
        trainable: Whether the new layers are trainable; `None` keeps each layer's
            flag.

    Returns:
        A new, uncompiled `keras.Model` from `inputs` to the same outputs.

    Raises:
        ValueError: If `model` is not functional, or an input is missing.
    """
    needed = check_functional(model)
    missing = sorted(set(needed) - set(inputs))
    if missing:
        raise ValueError(
            explain(
                f"inputs for all of {sorted(needed)}",
                f"none for {missing}",
                "take the inputs from inputs_like(model)",
            )
        )
    copies: dict[int, Any] = {}

    def copy_once(layer):  # Keras asks for a copy per call, even of a shared table.
        if id(layer) not in copies:
            copies[id(layer)] = copy_layer(layer, suffix, trainable)
        return copies[id(layer)]

    # The view has no compile state, which clone_model would copy, and has all of
    # `inputs`, also those that only `call` uses.
    other = {name: inputs[name] for name in inputs if name not in needed}
    view = keras.Model({**needed, **other}, model.output, name=model.name)
    clone = keras.models.clone_model(
        view,
        input_tensors=inputs,
        clone_function=copy_once,
        call_function=call or (lambda layer, *args, **kwargs: layer(*args, **kwargs)),
    )
    return keras.Model(inputs, clone.output, name=model.name)


def inputs_like(*models: keras.Model) -> dict[str, keras.KerasTensor]:
    """Returns fresh inputs for all fields of some models, one per field name.

    Args:
        *models: Functional models with dict inputs.

    Returns:
        `{name: keras.Input}`.

    Raises:
        ValueError: If two models disagree on an input's shape or dtype.
    """
    fresh: dict[str, keras.KerasTensor] = {}
    for model in models:
        for name, old in check_functional(model).items():
            known = fresh.get(name)
            if known is None:
                fresh[name] = keras.Input(old.shape[1:], dtype=old.dtype, name=name)
            elif (known.shape, known.dtype) != (old.shape, old.dtype):
                raise ValueError(
                    explain(
                        f"one shape and dtype for input '{name}'",
                        f"{known.shape} {known.dtype} and {old.shape} {old.dtype}",
                        "describe the field in the same way in both schemas",
                    )
                )
    return fresh


def copy_layer(
    layer: keras.Operation, suffix: str = "", trainable: bool | None = True
) -> keras.Operation:
    """Returns a layer of the same configuration, with no weights yet.

    Args:
        layer: A Keras layer. A bare operation, which has no weights, is returned
            unchanged.
        suffix: Appended to the layer's name.
        trainable: Whether the copy, with all its parts, is trainable; `None` keeps
            the flags of the layer and its parts.

    Returns:
        The copy.

    Raises:
        ValueError: If the layer is a Keras layer that `adapt` fits.
    """
    if not isinstance(layer, keras.Layer):
        return layer
    if hasattr(layer, "adapt"):
        raise ValueError(
            explain(
                "a model of encoded values",
                f"'{layer.name}', whose adapted state a copy would lose",
                "preprocess in tf.data, e.g. with a tf_ctr.Schema",
            )
        )
    config = layer.get_config()
    copy = type(layer).from_config({**config, "name": config["name"] + suffix})
    if trainable is not None:
        copy.trainable = trainable
    return copy


def first_argument(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Returns the first argument of a call, by position or by keyword."""
    return next(iter((*args, *kwargs.values())))
