"""DASL, Dual Attentive Sequential Learning."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.pieces import check_parts, click_of, concatenate, penalty
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Categorical, Schema
from tf_ctr.features.field import Field
from tf_ctr.joint.pieces import domain_logit, tower_network
from tf_ctr.joint.two_domains import (
    Tables,
    choose,
    domain_index,
    from_source,
    history_fields,
)
from tf_ctr.layers import Alignment, DualAttention, Newest, OrthogonalMap

# Parts of the names of tables that exist once per domain.
SIDES = ("source_", "target_")


def dasl(
    schema: Schema,
    domain: str,
    source: int | str,
    user: str,
    target_history: str,
    source_history: str,
    embedding_dim: int = 16,
    hidden_units: Sequence[int] = (80, 40),
    state_units: int | None = None,
    attention_units: int = 64,
    length: int = 10,
    alignment: float = 0.01,
    orthogonality: float = 1e-6,
    activation: str = "sigmoid",
    dropout: float = 0.0,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds DASL: aligns the users of two domains, and attends to both histories.

    The newest behaviours of each domain run through the GRU of that domain. The
    candidate spreads one softmax over the states of both
    (`tf_ctr.layers.DualAttention`), and the half of the row's own domain is pooled to
    `h`. `click = sigmoid(mlp_d([h; item; user; x]) + b_user + b_item)`, with `x` the
    embeddings of all other fields.

    Users, items with their histories, and biases have one table per domain; other
    tables are shared. The loss includes `alignment` times the mean cosine distance
    between the users of a batch in the source table, mapped by an almost orthogonal
    matrix, and in the target table. The authors' code trains this term in a separate
    step after each epoch.

    The data set must ensure that a history holds only behaviours before the impression.
    In the authors' script it contains the candidate itself.

    A row of any other domain, missing or unseen, is scored like a target row.

    Source: Li et al., Dual Attentive Sequential Learning (KDD 2021, arXiv
    2106.02768). Hidden sizes, their sigmoid, and the length are those of the authors'
    code; the weight of the alignment is ours.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field that holds the domain. It is also a feature.
        source: The value of the source domain, as in the frame; any other value is
            the target.
        user: Name of the field of the user's id.
        target_history: Name of the `Sequence` of behaviours in the target domain. The
            field that it is `of` is the item, whose value is a row's candidate.
        source_history: Name of the `Sequence` of behaviours in the source domain, `of`
            the same item field.
        embedding_dim: Embedding dim D.
        hidden_units: Widths of each domain's network.
        state_units: Width of the GRUs' states. Defaults to `embedding_dim`.
        attention_units: Hidden width of the attention.
        length: Number of newest behaviours to use from each history.
        alignment: Weight of the alignment of the two tables of users.
        orthogonality: Weight of the penalty on the map between them.
        activation: Activation of the networks.
        dropout: Dropout rate of the networks.
        l2: L2 penalty on the kernels of attention and networks.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_source_embedding`,
        `{field}_target_embedding`, `{field}_source_bias_embedding`,
        `{field}_target_bias_embedding`, `{field}_embedding` of other fields,
        `{field}_pooling`, `{history}_newest`, `{history}_states`, `attention`,
        `user_map`, `alignment`, `tower_{i}`, `logit`, `click`.

    Raises:
        ValueError: If there is no hidden layer, a name is unknown, or a weight is
            negative.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> from tf_ctr.joint import dasl
    >>> fields = [
    ...     Categorical("user", ["ann", "bob"]),
    ...     Categorical("item", [7, 8, 9]),
    ...     Categorical("tab", [0, 1]),
    ...     Sequence("clicks", of="item"),
    ...     Sequence("clicks_in_tab_1", of="item"),
    ... ]
    >>> model = dasl(Schema(fields), "tab", 1, "user", "clicks", "clicks_in_tab_1")
    >>> model.get_layer("clicks_states").output.shape
    (None, 10, 16)
    """
    check_parts("at least one hidden layer", hidden_units=hidden_units)
    inputs = schema.inputs()
    is_source = from_source(schema, inputs, domain, source)
    tables = Tables(schema, inputs, is_source, embedding_dim, embedding_l2)
    fields = _user_and_item(schema, user, target_history, source_history)
    item = fields["item"].name
    users = [tables.table(fields["user"], part)(inputs[user]) for part in SIDES]
    candidate = tables.own(fields["item"])
    histories = dict(zip(SIDES, (source_history, target_history), strict=True))
    states, ids = [], []
    for part, history in histories.items():
        cut = Newest(length, name=f"{history}_newest")
        newest = cut(inputs[history], inputs[history])
        rows = tables.table(fields["item"], part)(newest)
        ids.append(newest)
        states.append(_states(rows, newest, state_units or embedding_dim, history))
    attention = DualAttention(attention_units, penalty(l2), name="attention")
    interest = choose(is_source, *attention(*states, candidate, *ids))
    user_map = OrthogonalMap(orthogonality, name="user_map")
    own_user = Alignment(alignment, name="alignment")(
        choose(is_source, *users), user_map(users[0]), users[1]
    )
    apart = [user, item, *histories.values()]
    others = tables.vectors(
        shared=[f.name for f in schema.fields if f.table and f.name not in apart],
        without=apart,
    )
    x = concatenate([interest, candidate, own_user, *others.values()])
    index = domain_index(is_source)
    hidden = tower_network(2, hidden_units, activation, dropout, l2)(x, index)
    biases = [tables.own(f, "bias_", output_dim=1) for f in fields.values()]
    logit = domain_logit(2, l2)(hidden, index)
    return keras.Model(inputs, click_of([logit, *biases]), name="dasl")


def _user_and_item(schema: Schema, user: str, *histories: str) -> dict[str, Field]:
    """Returns the two fields that have a table per domain."""
    items = sorted({history.of for history in history_fields(schema, *histories)})
    users = [
        name
        for name, field in schema.of_kind(Categorical).items()
        if not field.multivalent and name not in items
    ]
    check_name("user field", user, users)
    if len(items) > 1:
        raise ValueError(
            explain(
                "histories of one field, the item of both domains",
                f"histories of {items}",
                "give the items of both domains one field and one vocabulary",
            )
        )
    return {"user": schema.field(user), "item": schema.field(items[0])}


def _states(
    rows: keras.KerasTensor, ids: keras.KerasTensor, units: int, history: str
) -> keras.KerasTensor:
    """Returns the states of a GRU after each behaviour, `[B, T, units]`."""
    # cuDNN supports neither empty histories nor padding at the start.
    gru = keras.layers.GRU(
        units, return_sequences=True, use_cudnn=False, name=f"{history}_states"
    )
    return gru(rows, mask=keras.ops.not_equal(ids, 0))
