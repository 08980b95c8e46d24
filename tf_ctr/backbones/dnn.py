"""DNN: fully connected layers on the embeddings of the fields."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.pieces import click_probability, concatenate, embed, mlp
from tf_ctr.features import Schema


def dnn(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds a network of fully connected layers on the field embeddings.

    `h_0 = [e_1; ...; e_F]`, `h_{l+1} = relu(h_l W_l + b_l)`,
    `click = sigmoid(h_L w + b)`.

    Source: the DNN of AutoFT (arXiv 2106.04873), section 4; the hidden sizes are
    those of the accuracy tables in the APG paper.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        embedding_dim: Embedding dim D: one number for all fields; `{field: number}`,
            where fields that are left out have 16; or `"auto"`, which is
            `6 * floor(rows ** (1 / 4))` for a table. Backbones that multiply the fields
            with each other take the largest, and map narrower embeddings to it by the
            layer `{field}_projection`.
        hidden_units: Widths of the deep layers.
        activation: Activation of the deep layers.
        dropout: Dropout rate of the deep layers.
        batch_norm: Whether the deep layers have BatchNorm.
        l2: L2 penalty on the kernels of all layers.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_embedding`, `{field}_pooling`,
        `embeddings`, `deep_{i}`, `logit`, `click`.

    Raises:
        ValueError: If there is no hidden layer.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> dnn(schema, hidden_units=(8,)).output_shape
    (None, 1)
    """
    inputs = schema.inputs()
    x = concatenate(embed(schema, inputs, embedding_dim, embedding_l2).values())
    deep = mlp(x, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2), name="dnn")
