"""Rebuilds a functional model layer by layer; every transfer method uses it.

Run the graph of a trained model again on fresh inputs; at each layer a hook
`call(layer, *args)` decides what happens. The source is copied, never shared and
never changed.
"""

import keras
from keras import layers

from tf_ctr.errors import explain
from tf_ctr.layers import MaskedPooling
from tf_ctr.surgery.graph import check_functional
from tf_ctr.surgery.weights import plan_weights


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
        trainable: Whether the copy, all of it, is trainable; `None` keeps what the
            layer and its parts are.

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
    if trainable is not None:
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
        trainable: Whether the new layers are trainable; `None` keeps what they are.

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

    # A view without compile state: clone_model would compile the copy alike. It has
    # all of `inputs`, also those that only `call` makes use of.
    other = {name: inputs[name] for name in inputs if name not in needed}
    view = keras.Model({**needed, **other}, model.output, name=model.name)
    clone = keras.models.clone_model(
        view,
        input_tensors=inputs,
        clone_function=copy_once,
        call_function=call or (lambda layer, *args, **kwargs: layer(*args, **kwargs)),
    )
    return keras.Model(inputs, clone.output, name=model.name)


def copy_weights(source, target, suffix="", skip=()):
    """Copies weights by layer name, variable to variable, all or nothing.

    What a method copies between models of one schema; `tf_ctr.surgery.warm_start`
    is for models of two.

    Args:
        source: The model to copy from.
        target: The model to copy to, in place.
        suffix: `layer` of the source goes to `layer + suffix` of the target.
        skip: Patterns of source layers to leave alone; see `warm_start`.

    Returns:
        A `tf_ctr.transfer.WeightReport`.

    Raises:
        ValueError: If no name matches, `skip` names no layer, or the shapes of a pair
            differ. Nothing is copied then.
    """
    plan = plan_weights(source, target, suffix, skip)
    for name, (old, new) in plan.mismatched.items():
        raise ValueError(
            explain(
                f"the weights of '{name}' to have one shape in both models",
                f"source {old}, target {new}",
                f"use one schema and one size, pass skip=('{name}',), or copy with "
                "tf_ctr.surgery.warm_start",
            )
        )
    return plan.run()


def look_up(source, inputs, embeddings, suffix="", trainable=True):
    """Runs copies of a model's embedding layers on the inputs.

    Args:
        source: The model; it is not changed.
        inputs: `{field: keras.Input}`.
        embeddings: `{field: layer name}`; fields may share a layer.
        suffix: Appended to the names of the layers.
        trainable: Whether the copies are trainable.

    Returns:
        `{field: its embeddings}`, `[B, D]` or `[B, T, D]`.
    """
    copies = {
        name: copy_layer(source.get_layer(name), suffix, trainable)
        for name in dict.fromkeys(embeddings.values())
    }
    return {field: copies[name](inputs[field]) for field, name in embeddings.items()}


def field_vector(field, inputs, rows, name, suffix=""):
    """One vector per instance of a field: its embedding, pooled, or its numbers.

    Args:
        field: Name of the field.
        inputs: `{field: keras.Input}`.
        rows: `{field: its embeddings}`, of some fields.
        name: Start of the names of the layers, `{name}_pooling` or `{name}_input`.
        suffix: Appended to these.

    Returns:
        `[B, N]`; `None` for ids without embeddings.
    """
    values = inputs[field]
    if field in rows:
        if len(rows[field].shape) == 2:
            return rows[field]
        return MaskedPooling(name=f"{name}_pooling{suffix}")(rows[field], values)
    if "float" not in values.dtype:
        return None
    if len(values.shape) == 2:
        return values
    return layers.Reshape((-1,), name=f"{name}_input{suffix}")(values)


def instance_vector(inputs, rows, suffix=""):
    """One vector per instance: pooled embeddings, and the numbers without one.

    Args:
        inputs: `{field: keras.Input}`.
        rows: `{field: its embeddings}`, of some fields.
        suffix: Appended to the names of the layers.

    Returns:
        `[B, N]`.

    Raises:
        ValueError: If there is neither an embedding nor a float input.
    """
    vectors = [
        field_vector(field, inputs, rows, f"{field}_policy", suffix) for field in inputs
    ]
    vectors = [vector for vector in vectors if vector is not None]
    if not vectors:
        raise ValueError(
            explain(
                "an embedding (output dim above 1) or a float input, for the policies "
                "to decide by",
                f"the inputs {sorted(inputs)}",
                "raise the embedding dim",
            )
        )
    if len(vectors) == 1:
        return vectors[0]
    return layers.Concatenate(name=f"policy_input{suffix}")(vectors)
