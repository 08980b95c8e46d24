"""Deep Interest Network."""

from collections.abc import Mapping, Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.histories import attended, check_widths, embed_histories
from tf_ctr.backbones.pieces import click_probability, concatenate, mlp, penalty
from tf_ctr.features import Schema
from tf_ctr.layers import DINAttention


def din(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    histories: Mapping[str, str] | None = None,
    attention_units: Sequence[int] = (80, 40),
    softmax: bool = False,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds DIN: a history summed with weights that depend on the candidate.

    `u = sum_j a(e_j, e_v) e_j`, see `tf_ctr.layers.DINAttention`;
    `h_0 = [e_1; ...; e_F; u]`, then as `tf_ctr.backbones.dnn`.

    Source: Zhou et al., Deep Interest Network (arXiv 1706.06978), section 4.3. Its
    Dice activation and its mini-batch regularisation are left out.

    Args:
        schema: A fitted `tf_ctr.Schema` with a `Sequence`.
        histories: `{history: candidate}`, names of a `Sequence` and of the
            `Categorical` that attends to it. By default every `Sequence(of="item")`
            is attended by `item`. A history that is not named is pooled.
        attention_units: Hidden widths of the attention.
        softmax: Whether the weights of a history sum to 1; in the paper they do not.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2,
            embedding_l2: As in `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`, with
        `{history}_attention` in place of `{history}_pooling`.

    Raises:
        ValueError: If there is no history or no hidden layer, or a name is unknown.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> item = Categorical("item", [7, 8])
    >>> model = din(Schema([item, Sequence("history", of="item")]), embedding_dim=4)
    >>> model.get_layer("history_attention").output.shape
    (None, 4)
    """
    histories = attended(schema, histories)
    inputs = schema.inputs()
    vectors, rows = embed_histories(
        schema, inputs, histories, embedding_dim, embedding_l2
    )
    check_widths(histories, vectors, rows)
    interests = [
        DINAttention(
            attention_units,
            softmax=softmax,
            kernel_regularizer=penalty(l2),
            name=f"{history}_attention",
        )(vectors[candidate], rows[history], inputs[history])
        for history, candidate in histories.items()
    ]
    x = concatenate([*vectors.values(), *interests])
    deep = mlp(x, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2), name="din")
