"""Wukong: stacked factorization machines."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import embed_alike
from tf_ctr.backbones.pieces import click_probability, mlp, penalty
from tf_ctr.errors import check_positive
from tf_ctr.features import Schema
from tf_ctr.layers import WukongLayer


def wukong(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    num_layers: int = 2,
    num_products: int = 8,
    num_sums: int = 8,
    rank: int = 8,
    product_units: int = 64,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds Wukong: layers whose products are of twice the order of those before.

    `E_{l+1} = layer(E_l)`, see `tf_ctr.layers.WukongLayer`; `h_0 = flat(E_L)`, then as
    `tf_ctr.backbones.dnn`. A number is its value times a learned vector.

    Source: Zhang et al., Wukong: Towards a Scaling Law for Large-Scale Recommendation
    (arXiv 2403.02545), section 3. There, a number goes through a network of its own.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        num_layers: Number of layers, at least 1.
        num_products: Vectors that a layer makes from products.
        num_sums: Vectors that a layer makes by linear sums.
        rank: Columns that the products of all pairs are projected onto.
        product_units: Width of the hidden layer on the products.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2,
            embedding_l2: As in `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`,
        `{field}_embedding` for numbers, and `wukong_{i}`.

    Raises:
        ValueError: If there is no hidden layer, or a size is not positive.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> model = wukong(schema, embedding_dim=4, num_products=3, num_sums=2)
    >>> model.get_layer("wukong_1").output.shape
    (None, 5, 4)
    """
    check_positive(num_layers=num_layers)
    inputs = schema.inputs()
    _, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    for i in range(num_layers):
        layer = WukongLayer(
            num_products,
            num_sums,
            rank,
            product_units,
            penalty(l2),
            name=f"wukong_{i}",
        )
        x = layer(x)
    flat = keras.layers.Flatten(name="interactions")(x)
    deep = mlp(flat, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2), name="wukong")
