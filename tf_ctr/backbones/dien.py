"""Deep Interest Evolution Network."""

from collections.abc import Mapping, Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.histories import attended, embed_histories
from tf_ctr.backbones.pieces import click_probability, concatenate, mlp, penalty
from tf_ctr.features import Schema
from tf_ctr.layers import InterestEvolution, InterestExtractor


def dien(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    histories: Mapping[str, str] | None = None,
    state_units: int = 16,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds DIEN: the interests of a user, and how they evolve to the candidate.

    `s = extractor(e_1, ..., e_T)` and `u = evolution(e_v, s)`, see
    `tf_ctr.layers.InterestExtractor` and `InterestEvolution`;
    `h_0 = [e_1; ...; e_F; u]`, then as `tf_ctr.backbones.dnn`.

    Source: Zhou et al., Deep Interest Evolution Network (arXiv 1809.03672), section 4.
    Its auxiliary loss and its Dice activation are left out. The steps of a history are
    laid out in the graph: keep `max_length` at 50 or less.

    Args:
        schema: A fitted `tf_ctr.Schema` with a `Sequence`.
        histories: `{history: candidate}`, as in `tf_ctr.backbones.din`.
        state_units: Width of the states.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2,
            embedding_l2: As in `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`, with
        `{history}_extractor` and `{history}_evolution` in place of
        `{history}_pooling`.

    Raises:
        ValueError: If there is no history or no hidden layer, or a name is unknown.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> item = Categorical("item", [7, 8])
    >>> schema = Schema([item, Sequence("history", of="item", max_length=3)])
    >>> dien(schema, embedding_dim=4).get_layer("history_evolution").output.shape
    (None, 16)
    """
    histories = attended(schema, histories)
    inputs = schema.inputs()
    vectors, rows = embed_histories(
        schema, inputs, histories, embedding_dim, embedding_l2
    )
    interests = []
    for history, candidate in histories.items():
        ids = inputs[history]
        extractor, evolution = (
            kind(state_units, penalty(l2), name=f"{history}_{name}")
            for kind, name in (
                (InterestExtractor, "extractor"),
                (InterestEvolution, "evolution"),
            )
        )
        states = extractor(rows[history], ids)
        interests.append(evolution(vectors[candidate], states, ids))
    x = concatenate([*vectors.values(), *interests])
    deep = mlp(x, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(deep, l2), name="dien")
