"""Dual Input-aware Factorization Machine."""

from collections.abc import Sequence

import keras
from keras import ops

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import (
    embed_alike,
    factorization_machine,
    first_order,
)
from tf_ctr.backbones.pieces import click_of, concatenate, mlp, penalty
from tf_ctr.features import Schema
from tf_ctr.layers import Bias, FieldAttention


def difm(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    num_heads: int = 8,
    head_dim: int = 8,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds DIFM: a factorization machine whose fields are weighted per example.

    `m = h_L P_bit + flat(attention(v)) P_vec`, a factor per field from a network on
    all bits and from self-attention between vectors;
    `click = sigmoid(b + sum_i m_i w_i x_i + sum_{i < j} <m_i v_i, m_j v_j>)`, with
    `h_L` of `tf_ctr.backbones.dnn`. A number is its value times a learned vector.

    Source: Lu et al., A Dual Input-aware Factorization Machine (IJCAI 2020),
    section 3.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        num_heads: Heads of the attention; 8 is the default of DeepCTR.
        head_dim: Width of a head; 8 is the default of DeepCTR.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2: As in
            `tf_ctr.backbones.dnn`.
        embedding_l2: L2 penalty on the embedding rows and on the first-order
            weights in the batch.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.deepfm`, and
        `attention_0`, `bit_factors`, `vector_factors`; `logit` is a
        `tf_ctr.layers.Bias`.

    Raises:
        ValueError: If there is no hidden layer, or a size is not positive.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> difm(schema).get_layer("factors").output.shape
    (None, 2)
    """
    inputs = schema.inputs()
    linear = first_order(schema, inputs, embedding_l2)
    flat, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    deep = mlp(flat, hidden_units, activation, dropout, batch_norm, l2)
    attention = FieldAttention(
        num_heads, head_dim, True, penalty(l2), name="attention_0"
    )
    attended = keras.layers.Flatten(name="attended")(attention(x))
    factors = keras.layers.Add(name="factors")(
        [
            _factors(deep, len(linear), l2, "bit_factors"),
            _factors(attended, len(linear), l2, "vector_factors"),
        ]
    )
    weighted = factors * concatenate(linear, name="first_order")
    logits = [
        Bias(name="logit", dtype="float32")(
            factorization_machine(x * ops.expand_dims(factors, 2))
        ),
        ops.sum(weighted, axis=1, keepdims=True),
    ]
    return keras.Model(inputs, click_of(logits), name="difm")


def _factors(
    x: keras.KerasTensor, num_fields: int, l2: float, name: str
) -> keras.KerasTensor:
    return keras.layers.Dense(
        num_fields,
        use_bias=False,
        kernel_initializer="glorot_normal",
        kernel_regularizer=penalty(l2),
        name=name,
    )(x)
