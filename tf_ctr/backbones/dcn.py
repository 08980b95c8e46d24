"""Deep & Cross Network."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.pieces import (
    check_parts,
    click_probability,
    concatenate,
    embed,
    mlp,
    penalty,
)
from tf_ctr.features import Schema
from tf_ctr.layers import CrossLayer


def dcn(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    num_cross_layers: int = 3,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds a Deep & Cross Network with parallel cross and deep parts.

    `x0 = [e_1; ...; e_F]`, `x_{l+1} = x0 * (x_l . w_l) + b_l + x_l`,
    `h_{l+1} = relu(h_l W_l + b_l)`, `click = sigmoid([x_L; h_L] w + b)`.

    Source: AutoFT (arXiv 2106.04873), section 3.1; Wang et al. (arXiv
    1708.05123). AutoFT's sizes are `embedding_dim=80`,
    `hidden_units=(1024, 512, 256, 128)`, `num_cross_layers=3`; the smaller
    defaults are those of the accuracy tables in the APG paper.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        embedding_dim: As in `tf_ctr.backbones.dnn`.
        hidden_units: Widths of the deep layers; `()` leaves the deep part out.
        num_cross_layers: Number of cross layers; 0 leaves the cross part out.
        activation: Activation of the deep layers.
        dropout: Dropout rate of the deep layers.
        batch_norm: Whether the deep layers have BatchNorm.
        l2: L2 penalty on cross, deep and output kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_embedding`, `{field}_pooling`,
        `embeddings`, `cross_{i}`, `deep_{i}`, `logit`, `click`.

    Raises:
        ValueError: If both parts are left out.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> dcn(schema, embedding_dim=4, hidden_units=(8,)).output_shape
    (None, 1)
    """
    check_parts(
        "a cross or a deep part",
        hidden_units=hidden_units,
        num_cross_layers=num_cross_layers,
    )
    inputs = schema.inputs()
    x0 = concatenate(embed(schema, inputs, embedding_dim, embedding_l2).values())
    x = x0
    for i in range(num_cross_layers):
        x = CrossLayer(kernel_regularizer=penalty(l2), name=f"cross_{i}")(x0, x)
    parts = [x] if num_cross_layers else []
    if hidden_units:
        parts.append(mlp(x0, hidden_units, activation, dropout, batch_norm, l2))
    output = click_probability(concatenate(parts, name="interactions"), l2)
    return keras.Model(inputs, output, name="dcn")
