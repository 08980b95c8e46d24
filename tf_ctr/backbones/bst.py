"""Behavior Sequence Transformer."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.histories import attended, check_widths, embed_histories
from tf_ctr.backbones.pieces import click_probability, concatenate, mlp, penalty
from tf_ctr.errors import check_choice
from tf_ctr.features import Schema
from tf_ctr.layers import TransformerEncoder


def bst(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    histories: Mapping[str, str] | None = None,
    attention_units: int = 32,
    num_heads: int = 2,
    pooling: str = "concat",
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds BST: a Transformer over the history and the candidate.

    The candidate is the newest behaviour: `[r_1; ...; r_T; r_v] = encoder([e_1; ...;
    e_T; e_v])`, see `tf_ctr.layers.TransformerEncoder`; `h_0` has the other fields and
    all `r`, then as `tf_ctr.backbones.dnn`.

    Source: Chen et al., Behavior Sequence Transformer (arXiv 1905.06874), section 2.
    Positions are ranks instead of time gaps.

    Args:
        schema: A fitted `tf_ctr.Schema` with a `Sequence`.
        histories: `{history: candidate}`, as in `tf_ctr.backbones.din`.
        attention_units: Width of all heads together.
        num_heads: Number of heads, which divides `attention_units`.
        pooling: What of the encoder goes on: `"concat"` all `r` side by side, as in the
            paper, `"mean"` their mean, without padding, or `"candidate"` only `r_v`.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2,
            embedding_l2: As in `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`, with
        `{history}_encoder` in place of `{history}_pooling`.

    Raises:
        ValueError: If there is no history or no hidden layer, or a name is unknown.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> item = Categorical("item", [7, 8])
    >>> schema = Schema([item, Sequence("history", of="item", max_length=3)])
    >>> bst(schema, embedding_dim=4).get_layer("history_encoder").output.shape
    (None, 4, 4)
    """
    check_choice("pooling", pooling, ("concat", "mean", "candidate"))
    histories = attended(schema, histories)
    inputs = schema.inputs()
    vectors, rows = embed_histories(
        schema, inputs, histories, embedding_dim, embedding_l2
    )
    check_widths(histories, vectors, rows)
    interests = []
    for history, candidate in histories.items():
        last = ops.expand_dims(vectors[candidate], 1)
        ids = ops.concatenate(
            [inputs[history], ops.expand_dims(inputs[candidate], 1)], axis=1
        )
        encoder = TransformerEncoder(
            attention_units,
            num_heads,
            kernel_regularizer=penalty(l2),
            name=f"{history}_encoder",
        )
        encoded = encoder(ops.concatenate([rows[history], last], axis=1), ids)
        interests.append(_pooled(encoded, ids, pooling, history))
    x = concatenate([*vectors.values(), *interests])
    deep = mlp(x, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2), name="bst")


def _pooled(
    encoded: keras.KerasTensor, ids: keras.KerasTensor, pooling: str, history: str
) -> keras.KerasTensor:
    """Returns one vector per example, `[B, (T + 1) D]` or `[B, D]`."""
    if pooling == "concat":
        return keras.layers.Flatten(name=f"{history}_encoded")(encoded)
    if pooling == "candidate":
        return encoded[:, -1]
    # Padding is encoded as zeros.
    count = ops.sum(ops.cast(ids > 0, encoded.dtype), axis=1, keepdims=True)
    return ops.sum(encoded, axis=1) / ops.maximum(count, 1)
