"""Taobao's ranking model, the production model of the CTNet paper."""

from collections import abc
from typing import Any

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.histories import attended, check_widths, embed_histories
from tf_ctr.backbones.pieces import click_probability, concatenate, mlp, penalty
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema, Sequence
from tf_ctr.layers import (
    ETAAttention,
    Newest,
    SIMAttention,
    TargetAttention,
    TransformerEncoder,
)


def taobao(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: abc.Sequence[int] = (1024, 512, 256),
    histories: abc.Mapping[str, str] | None = None,
    categories: abc.Mapping[str, tuple[str, str]] | None = None,
    attention_units: int = 256,
    num_heads: int = 8,
    recent_length: int = 50,
    top_k: int = 64,
    bits: int = 32,
    activation: str = "leaky_relu",
    dropout: float = 0.0,
    batch_norm: bool = True,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds the ranking model of Taobao: three attentions over every history.

    `h_0 = [e_1; ...; e_F; A_TA; A_SIM; A_ETA]`, then as `tf_ctr.backbones.dnn`.
    `A_TA` encodes the newest behaviours with a Transformer layer and attends to them;
    `A_SIM` attends to the newest behaviours of the candidate's category, `A_ETA` to
    those with the hash codes nearest to the candidate's. The whole history is looked
    up, but only the chosen vectors are attended to.

    Source: CTNet (arXiv 2208.05728), section 3.1, Eqs. 2 and 3; the sizes, the
    activation and BatchNorm are those of its section 4.2. The paper discretises
    numbers: `Numeric(transform="quantile")`.

    Args:
        schema: A fitted `tf_ctr.Schema` with a `Sequence`.
        hidden_units: Widths of the deep layers.
        histories: As in `tf_ctr.backbones.din`.
        categories: `{history: (its categories, the candidate's category)}`, e.g.
            `{"history": ("history_category", "category")}`: a `Sequence` of the
            categories of the behaviours, of the same length and `max_length`, and
            the `Categorical` field that it is `of`. Every behaviour needs a category:
            a missing one is dropped, and the others move up. A history that is not
            named has no `A_SIM`.
        attention_units: Width of every attention.
        num_heads: Heads of every attention.
        recent_length: Newest behaviours for `A_TA`; 50 is the default length of a
            `Sequence`.
        top_k: Behaviours that `A_SIM` and `A_ETA` keep.
        bits: Bits of the hash codes; see `tf_ctr.layers.ETAAttention`.
        activation: Activation of the deep layers. The slope of leaky ReLU is not
            stated; here it is 0.2, the default of Keras.
        embedding_dim, dropout, batch_norm, l2, embedding_l2: As in
            `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`, with
        `{history}_encoder`, `{history}_attention`, `{history}_sim` and
        `{history}_eta` in place of `{history}_pooling`; before them
        `{history}_newest` and `{history}_newest_ids` for a long history.

    Raises:
        ValueError: If there is no history or no hidden layer, a name is unknown, a
            size is not positive, or a history and its categories differ in length.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> item = Categorical("item", [7, 8])
    >>> schema = Schema([item, Sequence("history", of="item", max_length=1000)])
    >>> taobao(schema).get_layer("history_newest").output.shape
    (None, 50, 16)
    """
    histories = attended(schema, histories)
    categories = categories or {}
    _check_categories(schema, histories, categories)
    inputs = schema.inputs()
    vectors, rows = embed_histories(
        schema, inputs, histories, embedding_dim, embedding_l2
    )
    check_widths(histories, vectors, rows)
    heads: dict[str, Any] = {"num_heads": num_heads, "kernel_regularizer": penalty(l2)}
    interests = []
    for history, candidate in histories.items():
        ids, query, past = inputs[history], vectors[candidate], rows[history]
        recent, recent_ids = past, ids
        if ids.shape[1] > recent_length:
            cut = Newest(recent_length, name=f"{history}_newest")
            cut_ids = Newest(recent_length, name=f"{history}_newest_ids")
            recent, recent_ids = cut(past, ids), cut_ids(ids, ids)
        # `recent_length` positions even for a shorter history, so that the weights fit
        # a model with another max_length.
        encoder = TransformerEncoder(
            attention_units,
            num_positions=recent_length,
            name=f"{history}_encoder",
            **heads,
        )
        attention = TargetAttention(
            attention_units, name=f"{history}_attention", **heads
        )
        interests.append(attention(query, encoder(recent, recent_ids), recent_ids))
        if history in categories:
            past_category, category = (inputs[name] for name in categories[history])
            sim = SIMAttention(
                attention_units, top_k=top_k, name=f"{history}_sim", **heads
            )
            interests.append(sim(query, past, ids, category, past_category))
        eta = ETAAttention(
            attention_units, top_k=top_k, bits=bits, name=f"{history}_eta", **heads
        )
        interests.append(eta(query, past, ids))
    x = concatenate([*vectors.values(), *interests])
    deep = mlp(x, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2), name="taobao")


def _check_categories(
    schema: Schema,
    histories: abc.Mapping[str, str],
    categories: abc.Mapping[str, tuple[str, str]],
) -> None:
    """Raises unless each of `categories` has one category per behaviour."""
    for history, (past, category) in categories.items():
        check_name("history that is attended to", history, histories)
        field, length = schema.field(past), schema.field(history).max_length
        sequence = schema.of_kind(Sequence).get(past)
        of = None if sequence is None else sequence.of
        if of != category or field.max_length != length:
            raise ValueError(
                explain(
                    f"a Sequence of '{category}' with max_length={length}, the "
                    f"categories of '{history}'",
                    field,
                    f"describe it as Sequence('{past}', of='{category}', "
                    f"max_length={length})",
                )
            )
