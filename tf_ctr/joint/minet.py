"""MiNet, the Mixed Interest Network."""

from collections.abc import Mapping, Sequence

import keras

from tf_ctr.backbones.histories import embed_histories
from tf_ctr.backbones.pieces import check_parts, click_of, concatenate, mlp, penalty
from tf_ctr.features import Schema
from tf_ctr.joint.two_domains import (
    check_vectors,
    from_source,
    history_fields,
    two_logits,
)
from tf_ctr.layers import ItemAttention

# Initial biases in the authors' code; the weight of an interest starts at `exp(bias)`.
BIASES = {"user": 1.0, "target": 0.0, "source": 0.0}


def minet(
    schema: Schema,
    domain: str,
    source: int | str,
    user_fields: Sequence[str],
    target_history: str,
    source_history: str,
    embedding_dim: int = 16,
    hidden_units: Sequence[int] = (256, 128),
    attention_units: int = 64,
    transfer_rank: int = 10,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds MiNet: weighs a long-term interest and short-term ones of both domains.

    With `p` the user, `q` the candidate, and `r`, `s` the pooled clicks in the target
    and in the source domain (`tf_ctr.layers.ItemAttention`),
    `a_c = exp(h_c . relu([q; p; r; s] D_c) + b_c)` and
    `click = sigmoid(mlp([x; a_user p; a_target r; a_source s]))`, with `x` the
    embeddings of `q` and of all other fields. A row of the source domain goes through
    a network of its own on `[x; p]`, and shares the embeddings.

    The paper's loss is the target's plus `g` times the source's: pass
    `source_weight=g` to `tf_ctr.joint.mix`. The data set must ensure that a history
    holds only clicks before the impression, never the click on the candidate.

    A row of any other domain, missing or unseen, is scored like a target row.

    Source: Ouyang et al., MiNet (CIKM 2020, arXiv 2008.02974). The sizes are those of
    the authors' code, except for their embedding dim of 10.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field that holds the domain. It is also a feature.
        source: The value of the source domain, as in the frame; any other value is
            the target.
        user_fields: Names of the fields that describe the user.
        target_history: Name of the `Sequence` of clicks in the target domain; the
            candidate is the field that it is `of`.
        source_history: Name of the `Sequence` of clicks in the source domain.
        embedding_dim: Embedding dim D.
        hidden_units: Widths of each domain's network.
        attention_units: Hidden width of both levels of attention.
        transfer_rank: Rank of the matrix that carries source clicks to the target.
        activation: Activation of both networks.
        dropout: Dropout rate of both networks.
        batch_norm: Whether both networks have BatchNorm; its statistics are those of
            all rows, of either domain.
        l2: L2 penalty on all kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_embedding`, `{field}_pooling`,
        `{history}_attention`, `interest_{c}`, `{c}_interest`, `deep_{i}`,
        `source_deep_{i}`, `target_logit`, `source_logit`, `click`.

    Raises:
        ValueError: If there is no hidden layer, or a name is unknown.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> from tf_ctr.joint import minet
    >>> fields = [
    ...     Categorical("user", ["ann", "bob"]),
    ...     Categorical("item", [7, 8, 9]),
    ...     Categorical("tab", [0, 1]),
    ...     Sequence("clicks", of="item"),
    ...     Sequence("clicks_in_tab_1", of="item"),
    ... ]
    >>> model = minet(
    ...     Schema(fields), "tab", 1, ["user"], "clicks", "clicks_in_tab_1"
    ... )
    >>> model.get_layer("source_interest").output.shape
    (None, 1)
    """
    check_parts("at least one hidden layer", hidden_units=hidden_units)
    clicks, _ = history_fields(schema, target_history, source_history)
    inputs = schema.inputs()
    is_source = from_source(schema, inputs, domain, source)
    histories = {"target": target_history, "source": source_history}
    vectors, rows = embed_histories(
        schema, inputs, histories.values(), embedding_dim, embedding_l2
    )
    check_vectors(user_fields, vectors)
    candidate = vectors[clicks.of]
    interests = {
        "user": concatenate([vectors.pop(name) for name in user_fields], "user_vector")
    }
    for name, history in histories.items():
        interests[name] = ItemAttention(
            attention_units,
            transfer_rank if name == "source" else None,
            kernel_regularizer=penalty(l2),
            name=f"{history}_attention",
        )(rows[history], candidate, interests["user"], inputs[history])
    weighted = _weigh(interests, candidate, attention_units, l2)
    networks = {
        "deep": concatenate([*vectors.values(), *weighted]),
        "source_deep": concatenate(
            [*vectors.values(), interests["user"]], "source_embeddings"
        ),
    }
    target, of_source = [
        mlp(x, hidden_units, activation, dropout, batch_norm, l2, name=name)
        for name, x in networks.items()
    ]
    # Each row goes through both networks, and `where` picks its logit.
    logit = two_logits(is_source, of_source, target, penalty(l2))
    return keras.Model(inputs, click_of([logit]), name="minet")


def _weigh(
    interests: Mapping[str, keras.KerasTensor],
    candidate: keras.KerasTensor,
    units: int,
    l2: float,
) -> list[keras.KerasTensor]:
    """Multiplies each interest with its weight, a positive number per example."""
    context = concatenate([candidate, *interests.values()], "interest_context")
    weighted = []
    for name, bias in BIASES.items():
        hidden = keras.layers.Dense(
            units,
            "relu",
            use_bias=False,
            kernel_regularizer=penalty(l2),
            name=f"interest_{name}",
        )(context)
        weight = keras.layers.Dense(
            1,
            "exponential",
            bias_initializer=keras.initializers.Constant(bias),
            kernel_regularizer=penalty(l2),
            name=f"{name}_interest",
        )(hidden)
        weighted.append(weight * interests[name])
    return weighted
