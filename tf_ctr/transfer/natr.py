"""NATR: transfers only the item embeddings of the source."""

from collections.abc import Mapping

import keras

from tf_ctr.errors import check_name, explain
from tf_ctr.layers import DomainGate, HistoryAttention
from tf_ctr.surgery import Graph, inputs_like, rebuild
from tf_ctr.surgery.names import ATTENTION, FROZEN, GATE, SOURCE
from tf_ctr.surgery.vectors import look_up
from tf_ctr.transfer.method import Method


@Method("NATR", takes=("item", "history"), frozen=(FROZEN,))
def natr(
    source: keras.Model,
    item: str,
    history: str,
    attention_units: int | None = None,
) -> keras.Model:
    """Returns an untrained model that also sees the source's item embeddings.

    The target model has the architecture of the source, untrained, and a frozen copy
    of the source's item table, with rows `q^S`. The architecture computes a vector
    `q_v` of the item and a vector `p_u` of the user's history, which are replaced by

    `u = gate(p_u, u^S)`, `u^S = sum_j softmax_j(a([p_u; q^S_j])) q^S_j`,
    `v = gate(q_v, q^S_v)`,

    with `a` of `tf_ctr.layers.HistoryAttention` and the gate of
    `tf_ctr.layers.DomainGate`.

    Source: NATR (Gao et al., Cross-domain Recommendation Without Sharing
    User-relevant Data, WWW 2019), a baseline of AutoFT (arXiv 2106.04873), section 4.
    NATR recommends with a network on `[u; v; u * v]`. For click-through rates, we use
    the network of the source on all its fields, so that methods differ only in their
    transfer. `p_u` comes from the history, not from the user's id, so that new users
    also have it.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        item: Name of the item's field.
        history: Name of the field of the user's history, looked up in the table of
            `item`, as `Sequence(of=item)` is.
        attention_units: See `tf_ctr.layers.HistoryAttention`.

    Returns:
        A new, uncompiled `keras.Model`. Added layers: `{table}_frozen`,
        `{history}_source_attention`, `{history}_gate`, `{item}_gate`. It does not
        start with the scores of `source`.

    Raises:
        ValueError: If a field is unknown, the fields do not share a table, no layer
            makes one vector of the history, or `source` is not a functional model
            with dict inputs.

    Example:

    >>> from keras import Input, Model, layers
    >>> table = layers.Embedding(9, 4, name="item_embedding")
    >>> inputs = {
    ...     "item": Input((), dtype="int32", name="item"),
    ...     "history": Input((5,), dtype="int32", name="history"),
    ... }
    >>> pooled = layers.GlobalAveragePooling1D()(table(inputs["history"]))
    >>> x = layers.Concatenate()([table(inputs["item"]), pooled])
    >>> source = Model(inputs, layers.Dense(1, "sigmoid", name="click")(x))
    >>> [x.name for x in natr(source, "item", "history").layers if x.weights][:2]
    ['item_embedding', 'item_embedding_frozen']
    """
    tables = Graph(source).tables_by_field
    _check_fields(tables, item, history)
    inputs = inputs_like(source)
    rows = look_up(source, inputs, tables)
    transferred = look_up(
        source,
        inputs,
        {field: tables[field] for field in (item, history)},
        FROZEN,
        trainable=False,
    )
    rows[item] = DomainGate(name=item + GATE)(rows[item], transferred[item])
    attention = HistoryAttention(attention_units, name=history + SOURCE + ATTENTION)
    gate = DomainGate(name=history + GATE)

    def call(layer, *args, **kwargs):
        tensors = keras.tree.flatten((args, kwargs))
        if layer.name in tables.values():
            return rows[tensors[0].name]
        output = layer(*args, **kwargs)
        if not any(tensor is rows[history] for tensor in tensors):
            return output
        _check_pooled(layer, output, rows[history])
        return gate(output, attention(output, transferred[history], inputs[history]))

    model = rebuild(source, inputs, call)
    frozen = model.get_layer(tables[item] + FROZEN)
    frozen.set_weights(source.get_layer(tables[item]).get_weights())
    return model


def _check_fields(tables: Mapping[str, str], item: str, history: str) -> None:
    for field in (item, history):
        check_name("field with an embedding", field, tables)
    if tables[item] != tables[history] or item == history:
        raise ValueError(
            explain(
                f"another field than '{item}', looked up in its table "
                f"'{tables[item]}', as the history",
                f"'{history}', looked up in '{tables[history]}'",
                f"describe the history as Sequence('{history}', of='{item}') in the "
                "schema of the source",
            )
        )


def _check_pooled(
    layer: keras.Layer, output: keras.KerasTensor, rows: keras.KerasTensor
) -> None:
    if tuple(output.shape) != (rows.shape[0], rows.shape[-1]):
        raise ValueError(
            explain(
                f"every layer on the history to make one vector [B, {rows.shape[-1]}]",
                f"the output {tuple(output.shape)} of '{layer.name}'",
                "use a backbone that pools the history, such as tf_ctr.backbones.dcn",
            )
        )
