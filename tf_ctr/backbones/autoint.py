"""AutoInt: automatic feature interaction by self-attention."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import embed_alike
from tf_ctr.backbones.pieces import (
    check_parts,
    click_probability,
    concatenate,
    mlp,
    penalty,
)
from tf_ctr.features import Schema
from tf_ctr.layers import FieldAttention


def autoint(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    num_attention_layers: int = 3,
    num_heads: int = 2,
    head_dim: int = 32,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds AutoInt: layers of self-attention between fields, beside a deep part.

    `E_{l+1} = attention(E_l)`, see `tf_ctr.layers.FieldAttention`;
    `click = sigmoid([flat(E_L); h_L] w + b)`, with `h_L` of
    `tf_ctr.backbones.dnn`. A number is its value times a learned vector.

    Source: Song et al., AutoInt (arXiv 1810.11921), section 4, Eqs. 4 to 9; with a
    deep part it is the paper's AutoInt+. The attention has the sizes of the paper.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        hidden_units: Widths of the deep layers; `()` leaves the deep part out.
        num_attention_layers: Number of attention layers; 0 leaves them out.
        num_heads: Heads of an attention layer.
        head_dim: Width of a head.
        embedding_dim, activation, dropout, batch_norm, l2, embedding_l2: As in
            `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`,
        `{field}_embedding` for numbers, and `attention_{i}`.

    Raises:
        ValueError: If both parts are left out, or a size is not positive.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> autoint(schema, hidden_units=()).get_layer("attention_2").output.shape
    (None, 2, 64)
    """
    check_parts(
        "an attention or a deep part",
        hidden_units=hidden_units,
        num_attention_layers=num_attention_layers,
    )
    inputs = schema.inputs()
    flat, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    for i in range(num_attention_layers):
        attention = FieldAttention(
            num_heads, head_dim, False, penalty(l2), name=f"attention_{i}"
        )
        x = attention(x)
    parts = []
    if num_attention_layers:
        parts.append(keras.layers.Flatten(name="attended")(x))
    if hidden_units:
        parts.append(mlp(flat, hidden_units, activation, dropout, batch_norm, l2))
    output = click_probability(concatenate(parts, name="interactions"), l2)
    return keras.Model(inputs, output, name="autoint")
