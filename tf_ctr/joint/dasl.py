"""DASL, Dual Attentive Sequential Learning."""

import keras

from tf_ctr.backbones.pieces import check_parts, click_of, concatenate, penalty
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Categorical
from tf_ctr.joint.pieces import domain_logit, tower_network
from tf_ctr.joint.two_domains import (
    Tables,
    check_histories,
    choose,
    domain_index,
    from_source,
)
from tf_ctr.layers import Alignment, DualAttention, Newest, OrthogonalMap

# Parts of the names of tables that are apart by domain.
SIDES = ("source_", "target_")


def dasl(
    schema,
    domain,
    source,
    user,
    target_history,
    source_history,
    embedding_dim=16,
    hidden_units=(80, 40),
    state_units=None,
    attention_units=64,
    length=10,
    alignment=0.01,
    orthogonality=1e-6,
    activation="sigmoid",
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
):
    """Builds DASL: two domains' users aligned, two histories under one attention.

    The newest behaviours of each domain run through the GRU of their domain; the
    candidate spreads one softmax over the states of both
    (`tf_ctr.layers.DualAttention`), and the half of the row's own domain is pooled to
    `h`. `click = sigmoid(mlp_d([h; item; user; x]) + b_user + b_item)`, with `x` the
    embeddings of all other fields.

    Users, items and histories have one table per domain, and so have the biases; other
    tables are shared. The loss has `alignment` times the mean cosine distance between
    the users of a batch in the one table, mapped by an almost orthogonal matrix, and
    in the other; the authors' code trains it in a step of its own after each epoch.

    A history holds behaviours before the impression only. In the authors' script it
    has the candidate itself; the dataset sees to it that it has not.

    A row whose domain is neither source nor target, missing or unseen, is scored as
    one of the target.

    Source: Li et al., Dual Attentive Sequential Learning (KDD 2021, arXiv
    2106.02768). Hidden sizes, their sigmoid, and the length are those of the authors'
    code; the alignment's weight is ours.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field that tells the domains. It is a feature, too.
        source: The value of the source domain, as in the frame; any other value is
            the target.
        user: Name of the field of the user's id.
        target_history: Name of the `Sequence` of behaviours in the target domain; it
            is `of` the candidate of a target row.
        source_history: Name of the `Sequence` of behaviours in the source domain, of
            the same item field.
        embedding_dim: Embedding dim D.
        hidden_units: Widths of each domain's network.
        state_units: Width of the GRUs' states. Defaults to `embedding_dim`.
        attention_units: Hidden width of the attention.
        length: Behaviours of each history that are kept, the newest.
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
    states, ids = {}, {}
    for part, history in histories.items():
        ids[part] = Newest(length, name=f"{history}_newest")(*[inputs[history]] * 2)
        rows = tables.table(fields["item"], part)(ids[part])
        states[part] = _states(rows, ids[part], state_units or embedding_dim, history)
    attention = DualAttention(attention_units, penalty(l2), name="attention")
    interest = choose(is_source, *attention(*states.values(), candidate, *ids.values()))
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


def _user_and_item(schema, user, *histories):
    """Returns the two fields that have a table per domain."""
    check_histories(schema, *histories)
    items = sorted({schema.field(history).of for history in histories})
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


def _states(rows, ids, units, history):
    """The states of a GRU after each behaviour, `[B, T, units]`."""
    # cuDNN refuses empty histories, and padding that comes first.
    gru = keras.layers.GRU(
        units, return_sequences=True, use_cudnn=False, name=f"{history}_states"
    )
    return gru(rows, mask=keras.ops.not_equal(ids, 0))
