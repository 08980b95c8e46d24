"""Makes one vector per field or per instance, in a model that is being rebuilt."""

from collections.abc import Mapping

import keras
from keras import layers

from tf_ctr.errors import explain
from tf_ctr.layers import MaskedPooling
from tf_ctr.surgery.names import INPUT, POLICY, POOLING
from tf_ctr.surgery.rebuild import copy_layer

Tensors = Mapping[str, keras.KerasTensor]


def look_up(
    source: keras.Model,
    inputs: Tensors,
    embeddings: Mapping[str, str],
    suffix: str = "",
    trainable: bool = True,
) -> dict[str, keras.KerasTensor]:
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


def field_vector(
    field: str, inputs: Tensors, rows: Tensors, name: str, suffix: str = ""
) -> keras.KerasTensor | None:
    """Returns one vector per instance for a field: its pooled embedding or numbers.

    Args:
        field: Name of the field.
        inputs: `{field: keras.Input}`.
        rows: `{field: its embeddings}`, of some fields.
        name: Prefix of the names of added layers, `{name}_pooling` or `{name}_input`.
        suffix: Appended to these names.

    Returns:
        `[B, D]`; `None` for ids without embeddings.
    """
    values = inputs[field]
    if field in rows:
        if len(rows[field].shape) == 2:
            return rows[field]
        return MaskedPooling(name=name + POOLING + suffix)(rows[field], values)
    if "float" not in values.dtype:
        return None
    if len(values.shape) == 2:
        return values
    return layers.Reshape((-1,), name=name + INPUT + suffix)(values)


def instance_vector(
    inputs: Tensors, rows: Tensors, suffix: str = ""
) -> keras.KerasTensor:
    """Returns one vector per instance: pooled embeddings, and other numbers as such.

    Args:
        inputs: `{field: keras.Input}`.
        rows: `{field: its embeddings}`, of some fields.
        suffix: Appended to the names of the layers.

    Returns:
        `[B, M]`, M the width of all fields together.

    Raises:
        ValueError: If there is neither an embedding nor a float input.
    """
    vectors = [
        field_vector(field, inputs, rows, field + POLICY, suffix) for field in inputs
    ]
    vectors = [vector for vector in vectors if vector is not None]
    if not vectors:
        raise ValueError(
            explain(
                "an embedding (output dim above 1) or a float input, as the input of "
                "the policies",
                f"the inputs {sorted(inputs)}",
                "raise the embedding dim",
            )
        )
    if len(vectors) == 1:
        return vectors[0]
    return layers.Concatenate(name=f"policy_input{suffix}")(vectors)
