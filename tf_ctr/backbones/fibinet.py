"""FiBiNET: feature importance and bilinear feature interaction."""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import ops

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import embed_alike, first_order
from tf_ctr.backbones.pieces import click_probability, concatenate, mlp, penalty
from tf_ctr.errors import check_positive
from tf_ctr.features import Schema
from tf_ctr.layers import BilinearInteraction


def fibinet(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    reduction_ratio: int = 3,
    bilinear: Literal["all", "each", "interaction"] = "interaction",
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds FiBiNET: bilinear products of embeddings, plain and reweighted.

    `z_i = mean(v_i)`, `a = relu(relu(z W_1) W_2)`, `u_i = a_i v_i` (SENet);
    `p_ij = (v_i W) * v_j`, `q_ij = (u_i W') * u_j`;
    `click = sigmoid(<w, x> + h_L w' + b)`, with `h_L` of `tf_ctr.backbones.dnn` on
    `[p; q]`. A number is its value times a learned vector.

    Source: Huang et al., FiBiNET (arXiv 1905.09433), sections 3.3 to 3.7.

    Args:
        schema: A fitted `tf_ctr.Schema` of at least two fields.
        reduction_ratio: F over the width between `W_1` and `W_2`; 3 is the
            paper's.
        bilinear: `"all"`, `"each"` or `"interaction"`; see
            `tf_ctr.layers.BilinearInteraction`.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2: As in
            `tf_ctr.backbones.dnn`.
        embedding_l2: L2 penalty on the embedding rows and on the first-order
            weights in the batch.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.deepfm`, and
        `senet_0`, `senet_1`, `bilinear_0` (plain), `bilinear_1` (reweighted).

    Raises:
        ValueError: If `bilinear` is unknown, `reduction_ratio` is below 1, or there
            is no hidden layer.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> fibinet(schema, embedding_dim=4).get_layer("bilinear_1").output.shape
    (None, 1, 4)
    """
    check_positive(reduction_ratio=reduction_ratio)
    inputs = schema.inputs()
    linear = first_order(schema, inputs, embedding_l2)
    _, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    products = []
    for i, vectors in enumerate((x, _reweighted(x, reduction_ratio, l2))):
        multiply = BilinearInteraction(bilinear, penalty(l2), name=f"bilinear_{i}")
        products.append(keras.layers.Flatten(name=f"flat_{i}")(multiply(vectors)))
    x = concatenate(products, name="products")
    deep = mlp(x, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2, linear), name="fibinet")


def _reweighted(
    x: keras.KerasTensor, reduction_ratio: int, l2: float
) -> keras.KerasTensor:
    """Multiplies each field with a weight: SENet, from the means of all fields."""
    fields = x.shape[1]
    weights = ops.mean(x, axis=2)
    for i, units in enumerate((max(1, fields // reduction_ratio), fields)):
        weights = keras.layers.Dense(
            units,
            activation="relu",
            use_bias=False,
            kernel_initializer="glorot_normal",
            kernel_regularizer=penalty(l2),
            name=f"senet_{i}",
        )(weights)
    return x * ops.expand_dims(weights, 2)
