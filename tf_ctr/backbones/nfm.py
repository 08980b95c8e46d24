"""Neural factorization machine."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import bi_interaction, embed_alike, first_order
from tf_ctr.backbones.pieces import click_probability, mlp
from tf_ctr.features import Schema


def nfm(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds a neural factorization machine: a network on the sum of all products.

    `h_0 = sum_{i < j} v_i * v_j`, coordinate by coordinate, `[B, D]`; then
    `click = sigmoid(<w, x> + h_L w' + b)` with `h_L` of `tf_ctr.backbones.dnn`. A
    number is its value times a learned vector.

    Source: He and Chua, Neural Factorization Machines (arXiv 1708.05027), section 3.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2: As in
            `tf_ctr.backbones.dnn`.
        embedding_l2: L2 penalty on the embedding rows and on the first-order
            weights in the batch.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.deepfm`.

    Raises:
        ValueError: If there is no hidden layer.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> nfm(schema, 4, hidden_units=(8,)).get_layer("deep_0").kernel.shape
    TensorShape([4, 8])
    """
    inputs = schema.inputs()
    linear = first_order(schema, inputs, embedding_l2)
    _, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    products = bi_interaction(x)
    deep = mlp(products, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2, linear), name="nfm")
