"""Attentional factorization machine."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import embed_alike, first_order
from tf_ctr.backbones.pieces import click_probability, concatenate, mlp, penalty
from tf_ctr.features import Schema
from tf_ctr.layers import PairAttention


def afm(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (),
    attention_units: int = 32,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds an attentional factorization machine: products weighted by attention.

    `click = sigmoid(w_0 + <w, x> + <p, sum_{i < j} a_ij (v_i * v_j)>)`, with weights
    `a_ij` of `tf_ctr.layers.PairAttention` for each example. A number is its value
    times a learned vector.

    Source: Xiao et al., Attentional Factorization Machines (arXiv 1708.04617),
    section 3. A deep part beside it is not in the paper.

    Args:
        schema: A fitted `tf_ctr.Schema` of at least two fields.
        hidden_units: Widths of a deep part beside the machine; by default none.
        attention_units: Width of the attention's hidden layer.
        embedding_dim, activation, dropout, batch_norm, l2: As in
            `tf_ctr.backbones.dnn`.
        embedding_l2: L2 penalty on the embedding rows and on the first-order
            weights in the batch.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.fm`,
        `attention_0`, and `deep_{i}` with hidden layers.

    Raises:
        ValueError: If there is no pair of fields, or a size is not positive.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> afm(schema, embedding_dim=4).get_layer("attention_0").output.shape
    (None, 4)
    """
    inputs = schema.inputs()
    linear = first_order(schema, inputs, embedding_l2)
    flat, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    attention = PairAttention(attention_units, penalty(l2), name="attention_0")
    parts = [attention(x)]
    if hidden_units:
        parts.append(mlp(flat, hidden_units, activation, dropout, batch_norm, l2))
    x = concatenate(parts, name="interactions")
    return keras.Model(inputs, click_probability(x, l2, linear), name="afm")
