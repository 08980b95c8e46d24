"""The pieces that every backbone is made of, with fixed layer names.

Transfer methods find layers by the names `{field}_embedding`, `{field}_pooling`,
`deep_{i}`, `logit` and `click`, so changing a name breaks saved models.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim, field_dims
from tf_ctr.backbones.tables import penalty, pretrained_table, projection, table
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.field import Field
from tf_ctr.layers import Embedding, MaskedPooling

# An input and a layer of a Keras model cannot share a name.
LAYER_NAMES = re.compile(
    r"click|embeddings|interactions|logits?"
    r"|(bottom|cross|deep|mask|personal|wukong)_\d+|domain_gate|bottom_input|embedding_norm|normed|.+_(embedding|linear|pooling|projection)"
)


def embed(
    schema: Schema,
    inputs: Mapping[str, keras.KerasTensor],
    embedding_dim: EmbeddingDim,
    l2: float = 0.0,
    several_labels: bool = False,
) -> dict[str, keras.KerasTensor]:
    """Turns each field into one vector per example.

    Fields that share a vocabulary (a `Sequence` and the field it is `of`) share one
    table. A multi-valued field is pooled over its values.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`, from `schema.inputs()`.
        embedding_dim: Embedding dim D, of all fields or of each; see
            `tf_ctr.backbones.dims.field_dims`.
        l2: Penalty on the rows in the batch; see `tf_ctr.layers.Embedding`.
        several_labels: Whether the model has an output per label.

    Returns:
        `{field: [B, D]}` in the order of the schema; a standardised numeric field
        stays `[B, 1]`, or `[B, 2]` with an indicator.

    Raises:
        ValueError: If a field has the name of a backbone's layer, or a model of one
            output would have several labels.
    """
    vectors = look_up(schema, inputs, embedding_dim, l2, several_labels)
    for field in features_of(schema):
        name = field.name
        vectors[name] = pool(field, vectors[name], inputs, f"{name}_pooling")
    return vectors


def look_up(
    schema: Schema,
    inputs: Mapping[str, keras.KerasTensor],
    embedding_dim: EmbeddingDim,
    l2: float = 0.0,
    several_labels: bool = False,
) -> dict[str, keras.KerasTensor]:
    """Looks each field up in its table, without pooling.

    Args:
        schema: See `embed`.
        inputs: See `embed`.
        embedding_dim: See `embed`.
        l2: See `embed`.
        several_labels: See `embed`.

    Returns:
        `{field: [B, D]}`, or `[B, T, D]` for a multi-valued field, in the order of the
        schema; a standardised numeric field stays `[B, 1]`, or `[B, 2]` with an
        indicator.

    Raises:
        ValueError: See `embed`.
    """
    check_no_layer_names(schema, LAYER_NAMES)
    dims = field_dims(schema, embedding_dim)
    if not several_labels:
        check_one_label(schema)
    tables: dict[str, Embedding] = {}
    vectors = {}
    for field in features_of(schema):
        ids = inputs[field.name]
        if field.table is None:
            vectors[field.name] = ids
            if field.projected:
                vectors[field.name] = projection(field, dims[field.name], l2)(ids)
            continue
        if field.table not in tables:
            name = f"{field.table}_embedding"
            owner = field.owner
            tables[field.table] = (
                table(field, dims[field.name], l2=l2, name=name)
                if owner.pretrained is None
                else pretrained_table(owner, l2=l2, name=name)
            )
        vectors[field.name] = tables[field.table](ids)
    return vectors


def pool(
    field: Field,
    rows: keras.KerasTensor,
    inputs: Mapping[str, keras.KerasTensor],
    name: str,
) -> keras.KerasTensor:
    """Pools the rows of a multi-valued field; returns other rows unchanged.

    Args:
        field: The field of the schema.
        rows: Rows of a table, `[B, T, D]` if the field is multi-valued, else `[B, D]`.
        inputs: `{field: keras.Input}`, with the ids that the rows were looked up with
            and any weights of them.
        name: Name of the pooling layer.

    Returns:
        `[B, D]`.
    """
    if not field.multivalent or field.pooling is None:
        return rows
    ids = inputs[field.name]
    weights = None if field.weights is None else inputs[field.weights]
    layer = MaskedPooling(field.pooling, name=name)
    return layer(rows, ids) if weights is None else layer(rows, ids, weights)


def features_of(schema: Schema) -> list[Field]:
    """Returns the fields of a schema, without those that only weigh the ids of others.

    Args:
        schema: A `tf_ctr.Schema`.
    """
    return [field for field in schema.fields if field.weighs is None]


def concatenate(
    vectors: Iterable[keras.KerasTensor], name: str = "embeddings"
) -> keras.KerasTensor:
    """Joins `[B, D_f]` vectors to `[B, sum of D_f]`; a single one is returned as is."""
    vectors = list(vectors)
    # `keras.layers.Concatenate` refuses a single tensor.
    if len(vectors) == 1:
        return vectors[0]
    return keras.layers.Concatenate(name=name)(vectors)


def mlp(
    x: keras.KerasTensor,
    hidden_units: Sequence[int],
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    name: str = "deep",
) -> keras.KerasTensor:
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

    Raises:
        ValueError: If there is no hidden layer.
    """
    check_parts("at least one hidden layer", hidden_units=hidden_units)
    for i, units in enumerate(hidden_units):
        x = depth(units, activation, dropout, batch_norm, l2, f"{name}_{i}")(x)
    return x


def depth(
    units: int, activation: str, dropout: float, batch_norm: bool, l2: float, name: str
) -> keras.Layer:
    """Creates one fully connected layer of `mlp`, with what follows it.

    Args:
        units: Width of the layer.
        activation: See `mlp`.
        dropout: See `mlp`.
        batch_norm: See `mlp`.
        l2: See `mlp`.
        name: Name of the layer.
    """
    # Glorot normal beat Keras's uniform default on MovieLens-1M (measured).
    dense = {"kernel_initializer": "glorot_normal", "kernel_regularizer": penalty(l2)}
    if not dropout and not batch_norm:
        return keras.layers.Dense(units, activation=activation, name=name, **dense)
    stack = [keras.layers.Dense(units, name="dense", **dense)]
    if batch_norm:
        stack.append(keras.layers.BatchNormalization(name="norm"))
    stack.append(keras.layers.Activation(activation, name="activation"))
    if dropout:
        stack.append(keras.layers.Dropout(dropout, name="dropout"))
    return keras.Sequential(stack, name=name)


def click_probability(
    x: keras.KerasTensor, l2: float = 0.0, terms: Iterable[keras.KerasTensor] = ()
) -> keras.KerasTensor:
    """Adds the prediction layer, `sigmoid(x w + b + sum of terms)`, always float32.

    Args:
        x: Input of the layer `logit`, `[B, N]`.
        l2: L2 penalty on `w`.
        terms: Logits of other parts of the model, `[B, 1]` each.

    Returns:
        `[B, 1]`.
    """
    logit = keras.layers.Dense(
        1,
        kernel_initializer="glorot_normal",
        kernel_regularizer=penalty(l2),
        name="logit",
        dtype="float32",
    )(x)
    return click_of([logit, *terms])


def click_of(logits: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    """Returns the sigmoid of the sum of `logits`, `[B, 1]` each, always float32."""
    total = logits[0]
    if len(logits) > 1:
        total = keras.layers.Add(name="logits", dtype="float32")(logits)
    return keras.layers.Activation("sigmoid", name="click", dtype="float32")(total)


def check_no_layer_names(schema: Schema, layer_names: re.Pattern[str]) -> None:
    """Raises if a field has the name of a layer.

    Args:
        schema: The schema.
        layer_names: Pattern of the names of layers.

    Raises:
        ValueError: If a field's name matches.
    """
    for field in schema.fields:
        if layer_names.fullmatch(field.name):
            raise ValueError(
                explain(
                    "field names that no layer of a backbone has",
                    f"the field '{field.name}'",
                    "rename the column, e.g. to "
                    f"'{field.name}_id' in frame.rename(columns=...)",
                )
            )


def check_one_label(schema: Schema) -> None:
    """Raises `ValueError` for a schema of several labels."""
    if schema.outcomes.several:
        raise ValueError(
            explain(
                "a schema with one label, for a model with one output",
                f"the labels {schema.label_names}",
                "build a model with an output per label: share_bottom, mmoe, ple, esmm "
                "or aitm of tf_ctr.joint; or pass "
                f"schema.for_label({schema.label_names[0]!r})",
            )
        )


def check_parts(expected: str, **sizes: int | Collection[int]) -> None:
    """Raises unless at least one part of a model has layers.

    Args:
        expected: The parts, in words.
        **sizes: The arguments whose empty or zero value leaves a part out.

    Raises:
        ValueError: If all are empty or 0.
    """
    if not any(sizes.values()):
        received = " and ".join(f"{name}={value}" for name, value in sizes.items())
        hidden = next(name for name in sizes if name.endswith("units"))
        raise ValueError(explain(expected, received, f"pass {hidden}=(256, 128, 64)"))
