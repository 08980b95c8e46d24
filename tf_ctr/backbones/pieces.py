"""The pieces that every backbone is made of, with the layer names as contract.

`{field}_embedding`, `{field}_pooling`, `deep_{i}`, `logit`, `click`: transfer
methods find layers by these names, so a change of a name breaks saved models.
"""

import keras

from tf_ctr.layers import Embedding, MaskedPooling


def embed(schema, inputs, embedding_dim, l2=0.0):
    """Turns each field into one vector per example.

    Fields that share a vocabulary (a `Sequence` and the field it is `of`) share
    one table. A multi-valued field is pooled over its values.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`, as `schema.inputs()` gives.
        embedding_dim: Embedding dim D.
        l2: Penalty on the rows in the batch; see `tf_ctr.layers.Embedding`.

    Returns:
        `{field: [B, D]}` in the order of the schema; a standardised numeric field
        stays `[B, 1]`.
    """
    tables, vectors = {}, {}
    for field in schema.fields:
        ids = inputs[field.name]
        if field.table is None:
            vectors[field.name] = ids
            continue
        if field.table not in tables:
            tables[field.table] = Embedding(
                field.table_size,
                embedding_dim,
                l2=l2,
                name=f"{field.table}_embedding",
            )
        rows = tables[field.table](ids)
        if field.multivalent:
            pooling = MaskedPooling(field.pooling, name=f"{field.name}_pooling")
            rows = pooling(rows, ids)
        vectors[field.name] = rows
    return vectors


def concatenate(vectors, name="embeddings"):
    """Joins `[B, D_f]` vectors to one `[B, sum of D_f]`, be it only one vector."""
    vectors = list(vectors)
    if len(vectors) == 1:
        return vectors[0]
    return keras.layers.Concatenate(name=name)(vectors)


def mlp(
    x,
    hidden_units,
    activation="relu",
    dropout=0.0,
    batch_norm=False,
    l2=0.0,
    name="deep",
):
    """Stacks fully connected layers, one named layer per depth.

    A depth with BatchNorm or dropout is one small `Sequential`, so that a transfer
    method sees one layer per depth in any case.

    Args:
        x: Input, `[B, N]`.
        hidden_units: Widths of the layers.
        activation: Activation of every layer.
        dropout: Dropout rate after every activation.
        batch_norm: Whether to normalise between the product and the activation.
        l2: L2 penalty on the kernels.
        name: Prefix of the layer names `{name}_{i}`.

    Returns:
        `[B, hidden_units[-1]]`.
    """
    for i, units in enumerate(hidden_units):
        x = _depth(units, activation, dropout, batch_norm, l2, f"{name}_{i}")(x)
    return x


def _depth(units, activation, dropout, batch_norm, l2, name):
    # Glorot normal beat Keras's uniform default on MovieLens-1M (measured).
    dense = {"kernel_initializer": "glorot_normal", "kernel_regularizer": _l2(l2)}
    if not dropout and not batch_norm:
        return keras.layers.Dense(units, activation=activation, name=name, **dense)
    stack = [keras.layers.Dense(units, name="dense", **dense)]
    if batch_norm:
        stack.append(keras.layers.BatchNormalization(name="norm"))
    stack.append(keras.layers.Activation(activation, name="activation"))
    if dropout:
        stack.append(keras.layers.Dropout(dropout, name="dropout"))
    return keras.Sequential(stack, name=name)


def click_probability(x, l2=0.0):
    """The prediction layer, `sigmoid(x w + b)`, `[B, 1]`, always float32."""
    logit = keras.layers.Dense(
        1,
        kernel_initializer="glorot_normal",
        kernel_regularizer=_l2(l2),
        name="logit",
        dtype="float32",
    )(x)
    return keras.layers.Activation("sigmoid", name="click", dtype="float32")(logit)


def _l2(weight):
    return keras.regularizers.L2(weight) if weight else None
