"""Rebuilds a functional model layer by layer; every transfer method uses it.

Run the graph of a trained model again on fresh inputs; at each layer a hook
`call(layer, *args)` decides what happens. The source is copied, never shared and
never changed.
"""

import dataclasses

import keras

from tf_ctr.errors import explain, unknown_name
from tf_ctr.transfer.graph import check_functional


def inputs_like(*models):
    """Returns fresh inputs, the union over models by field name.

    Args:
        *models: Functional models with dict inputs.

    Returns:
        `{name: keras.Input}`.

    Raises:
        ValueError: If two models disagree on an input's shape or dtype.
    """
    fresh = {}
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
                        "describe the field alike in both schemas",
                    )
                )
    return fresh


def copy_layer(layer, suffix="", trainable=True):
    """Returns a layer of the same configuration, with no weights yet.

    Args:
        layer: A Keras layer; a bare operation, which has no weights, is returned
            as it is.
        suffix: Appended to the layer's name.
        trainable: Whether the copy, all of it, is trainable.

    Returns:
        The copy.

    Raises:
        ValueError: If the layer is one of Keras's that are fitted by `adapt`.
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
    copy.trainable = trainable
    return copy


def rebuild(model, inputs, call=None, suffix="", trainable=True):
    """Runs the graph of `model` on `inputs` with new layers.

    Args:
        model: The functional model to rebuild.
        inputs: `{name: keras.Input}`, at least those of `model`.
        call: `call(layer, *args, **kwargs) -> output`, called in place of each
            layer with its copy; defaults to calling the copy. The copy is named as
            the original plus `suffix`, and has no weights before it is called.
        suffix: Appended to the name of every layer.
        trainable: Whether the new layers are trainable.

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
    copies = {}

    def copy_once(layer):  # Keras asks once per call, also for a shared table.
        if id(layer) not in copies:
            copies[id(layer)] = copy_layer(layer, suffix, trainable)
        return copies[id(layer)]

    # A view without compile state: clone_model would compile the copy alike.
    view = keras.Model(model.input, model.output, name=model.name)
    clone = keras.models.clone_model(
        view,
        input_tensors={name: inputs[name] for name in needed},
        clone_function=copy_once,
        call_function=call or (lambda layer, *args, **kwargs: layer(*args, **kwargs)),
    )
    return keras.Model(inputs, clone.output, name=model.name)


@dataclasses.dataclass(frozen=True)
class WeightReport:
    """What `copy_weights` did, by layer name.

    Attributes:
        copied: Layers of the target that took the source's weights.
        new: Layers of the target without a counterpart in the source.
        unused: Layers of the source without a counterpart in the target.
        skipped: Layers left alone because the caller said so.
    """

    copied: tuple
    new: tuple
    unused: tuple
    skipped: tuple


def copy_weights(source, target, suffix="", skip=()):
    """Copies weights by layer name, variable to variable.

    Args:
        source: The model to copy from.
        target: The model to copy to, in place.
        suffix: `layer` of the source goes to `layer + suffix` of the target.
        skip: Names of source layers to leave alone.

    Returns:
        A `WeightReport`.

    Raises:
        ValueError: If no name matches, `skip` names no layer of the source, or the
            shapes of a pair differ. Nothing is copied then.
    """
    layers = {la.name: la for la in source.layers if la.weights}
    targets = {la.name: la for la in target.layers if la.weights}
    for name in sorted(set(skip) - set(layers)):
        raise ValueError(unknown_name("layer with weights", name, layers))
    pairs = {
        name: (layer, targets[name + suffix])
        for name, layer in layers.items()
        if name + suffix in targets and name not in skip
    }
    if not pairs:
        raise ValueError(
            explain(
                f"a layer of the target named as one of the source + '{suffix}'",
                f"source layers {sorted(layers)}, target layers {sorted(targets)}",
                "name the layers of both models alike",
            )
        )
    for name, (old, new) in pairs.items():
        _check_same_shapes(name, old, new)
    for old, new in pairs.values():
        new.set_weights(old.get_weights())
    copied = tuple(name + suffix for name in pairs)
    return WeightReport(
        copied=copied,
        new=tuple(name for name in targets if name not in copied),
        unused=tuple(n for n in layers if n not in pairs and n not in skip),
        skipped=tuple(name for name in layers if name in skip),
    )


def _check_same_shapes(name, old, new):
    old_shapes, new_shapes = ([tuple(w.shape) for w in la.weights] for la in (old, new))
    if old_shapes != new_shapes:
        raise ValueError(
            explain(
                f"the weights of '{name}' to have one shape in both models",
                f"source {old_shapes}, target {new_shapes}",
                f"use one schema and one size, or pass skip=('{name}',)",
            )
        )
