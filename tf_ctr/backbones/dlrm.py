"""DLRM, the Deep Learning Recommendation Model."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim, common_dim
from tf_ctr.backbones.factorization import inner_products
from tf_ctr.backbones.pieces import (
    click_probability,
    concatenate,
    embed,
    features_of,
    mlp,
)
from tf_ctr.backbones.tables import projection
from tf_ctr.features import Schema


def dlrm(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    bottom_units: Sequence[int] = (64,),
    self_interaction: bool = False,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds DLRM: dot products of the embeddings and of a network on the numbers.

    `v_0 = bottom(numbers)`, of the dim of the embeddings `v_1, ..., v_F`;
    `h_0 = [v_0; <v_i, v_j> for i < j]`, then the top network as
    `tf_ctr.backbones.dnn`. The products are in another order than in the authors'
    code, which only permutes the rows of the first kernel.

    Without numeric fields there is no `v_0`. A multi-valued field is pooled as its
    `pooling` says, by default with the mean; the authors use the sum.

    Source: Naumov et al., Deep Learning Recommendation Model (arXiv 1906.00091),
    section 2.2. The sizes of the authors' benchmark on Criteo are `embedding_dim=16`,
    `bottom_units=(512, 256, 64)`, `hidden_units=(512, 256)`.

    Args:
        schema: A fitted `tf_ctr.Schema` of at least two fields.
        hidden_units: Widths of the top network.
        bottom_units: Widths of the bottom network, before its last layer of width D.
        self_interaction: Whether to add the products `<v_i, v_i>`; the authors' option
            `arch_interaction_itself`.
        activation: Activation of both networks.
        dropout: Dropout rate of both networks.
        batch_norm: Whether both networks have BatchNorm.
        embedding_dim, l2, embedding_l2: As in `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`, and
        `bottom_{i}` for numbers.

    Raises:
        ValueError: If there is no hidden layer, or nothing to multiply.

    Example:

    >>> from tf_ctr import Categorical, Numeric, Schema
    >>> fields = [Categorical("user", ["ann", "bob"]), Numeric("age", mean=30, std=9)]
    >>> dlrm(Schema(fields), embedding_dim=4).get_layer("interactions").output.shape
    (None, 5)
    """
    inputs = schema.inputs()
    vectors = embed(schema, inputs, embedding_dim, embedding_l2)
    numbers = [
        vectors.pop(field.name)
        for field in features_of(schema)
        if field.table is None and not field.projected
    ]
    dim = common_dim(schema, embedding_dim)
    for name, vector in vectors.items():
        if vector.shape[1] != dim:
            narrow = projection(schema.field(name), dim, l2, "projection")
            vectors[name] = narrow(vector)
    factors, parts = list(vectors.values()), []
    if numbers:
        x = concatenate(numbers, name="bottom_input")
        widths = (*bottom_units, dim)
        bottom = mlp(x, widths, activation, dropout, batch_norm, l2, name="bottom")
        factors.insert(0, bottom)
        parts.append(bottom)
    shape = (len(factors), dim)
    matrix = keras.layers.Reshape(shape, name="field_matrix")(concatenate(factors))
    parts.append(inner_products(matrix, self_interaction))
    x = concatenate(parts, name="interactions")
    top = mlp(x, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(top, l2), name="dlrm")
