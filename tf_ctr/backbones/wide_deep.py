"""Wide & Deep."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import first_order
from tf_ctr.backbones.pieces import click_probability, concatenate, embed, mlp
from tf_ctr.features import Schema


def wide_deep(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds Wide & Deep: a linear model and a network, trained jointly.

    `click = sigmoid(x w_wide + h_L w_deep + b)`, with `h_L` of `tf_ctr.backbones.dnn`.
    The paper crosses features by hand. Here a cross is a field: join two columns in
    the data, and describe the result as a `tf_ctr.Categorical`.

    Source: Cheng et al., Wide & Deep Learning (arXiv 1606.07792), section 3, Eq. 3.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2: As in
            `tf_ctr.backbones.dnn`.
        embedding_l2: L2 penalty on the embedding rows and on the wide weights in
            the batch.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`, and
        `{field}_linear`, `{field}_linear_pooling`.

    Raises:
        ValueError: If there is no hidden layer.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> wide_deep(schema, hidden_units=(8,)).get_layer("user_linear").output_dim
    1
    """
    inputs = schema.inputs()
    wide = first_order(schema, inputs, embedding_l2)
    x = concatenate(embed(schema, inputs, embedding_dim, embedding_l2).values())
    deep = mlp(x, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2, wide), name="wide_deep")
