"""Product-based Neural Network."""

from collections.abc import Sequence
from typing import Literal

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import (
    embed_alike,
    inner_products,
    outer_product,
)
from tf_ctr.backbones.pieces import click_probability, concatenate, mlp
from tf_ctr.errors import check_choice
from tf_ctr.features import Schema

PRODUCTS = {
    "inner": (inner_products,),
    "outer": (outer_product,),
    "both": (inner_products, outer_product),
}


def pnn(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    product: Literal["inner", "outer", "both"] = "inner",
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds a PNN: a network on the field embeddings and their products.

    `h_1 = relu([z; p] W + b)`, with `z = [v_1; ...; v_F]` the linear and `p` the
    quadratic signals: all `<v_i, v_j>` (IPNN), the matrix `(sum v_i)(sum v_i)^T`
    (OPNN by superposition), or both (PNN*). One kernel on `[z; p]` is the paper's
    `l_z + l_p`. A number is its value times a learned vector.

    Source: Qu et al., Product-based Neural Networks (arXiv 1611.00144), section 3.

    Args:
        schema: A fitted `tf_ctr.Schema`, of at least two fields for inner products.
        product: `"inner"`, `"outer"` or `"both"`.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2,
            embedding_l2: As in `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`, and
        `{field}_embedding` for numbers, and `signals`.

    Raises:
        ValueError: If `product` is unknown, there is no hidden layer, or inner products
            are asked for a single field.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> pnn(schema, embedding_dim=4, product="both").get_layer("signals").output.shape
    (None, 25)
    """
    check_choice("product", product, tuple(PRODUCTS))
    inputs = schema.inputs()
    flat, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    quadratic = [multiply(x) for multiply in PRODUCTS[product]]
    signals = concatenate([flat, *quadratic], name="signals")
    deep = mlp(signals, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2), name="pnn")
