"""DeepFM."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import (
    embed_alike,
    factorization_machine,
    first_order,
)
from tf_ctr.backbones.pieces import click_probability, mlp
from tf_ctr.features import Schema


def deepfm(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds DeepFM: a factorization machine and a network on shared embeddings.

    `y_fm = <w, x> + sum_{i < j} <v_i, v_j>`,
    `click = sigmoid(y_fm + h_L w + b)`, with `h_L` of `tf_ctr.backbones.dnn` on the
    same `v_i`. A number is its value times a learned vector.

    Source: Guo et al., DeepFM (arXiv 1703.04247), Eqs. 1 to 4.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2: As in
            `tf_ctr.backbones.dnn`.
        embedding_l2: L2 penalty on the embedding rows and on the first-order
            weights in the batch.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.wide_deep`,
        and `{field}_embedding` for numbers.

    Raises:
        ValueError: If there is no hidden layer.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> deepfm(schema, hidden_units=(8,)).output_shape
    (None, 1)
    """
    inputs = schema.inputs()
    linear = first_order(schema, inputs, embedding_l2)
    flat, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    deep = mlp(flat, hidden_units, activation, dropout, batch_norm, l2)
    output = click_probability(deep, l2, [*linear, factorization_machine(x)])
    return keras.Model(inputs, output, name="deepfm")
