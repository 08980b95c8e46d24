"""Aggregates the historical embeddings of E-CDCTR once per id."""

import keras
import numpy as np

from tf_ctr.layers import Embedding, SnapshotAggregation, SnapshotTable
from tf_ctr.surgery import Graph, copy_weights, inputs_like, rebuild
from tf_ctr.surgery.names import TABLE

# Ids that are aggregated at once, so that memory does not grow with the table.
BLOCK = 65_536


def merge_historical(model: keras.Model) -> keras.Model:
    """Returns a model that looks up one vector per id instead of its snapshots.

    The output of a `SnapshotTable` and its `SnapshotAggregation` depends on the id
    only, so it is computed once and stored in a table. The scores are the same except
    for rounding.

    Source: a write-up of E-CDCTR (arXiv 2408.16238) reports that the attention is
    frozen once CPM is trained, and that the tables are then merged offline into one.

    Args:
        model: A functional model with historical embeddings, made by
            `tf_ctr.transfer.add_historical`, or made from such a model by a transfer
            method; it is not changed.

    Returns:
        A new, uncompiled `keras.Model` with a frozen table
        `{field}_historical_aggregation_table` per field; `model` itself, if there is
        nothing to merge.

    Example:

    >>> import tf_ctr
    >>> schema = tf_ctr.Schema([tf_ctr.Categorical("user", ["ann", "bob"])])
    >>> dnn = tf_ctr.backbones.dnn
    >>> model = tf_ctr.transfer.add_historical(dnn, schema, ["user"])
    >>> [layer.name for layer in merge_historical(model).layers][:3]
    ['user', 'user_embedding', 'user_historical_aggregation_table']
    """
    layers = {layer.name: layer for layer in model.layers}
    # Checked before `Graph` reads the config, which warns about any lambda.
    if not any(isinstance(each, SnapshotAggregation) for each in layers.values()):
        return model
    joins = {
        name: layers[parents[0]]
        for name, parents in Graph(model).calls
        if isinstance(layers.get(name), SnapshotAggregation)
    }
    rows = {name: _rows(table, layers[name]) for name, table in joins.items()}

    def call(layer, *args, **kwargs):
        if isinstance(layer, SnapshotTable):
            return args[0]  # The ids, for the table that replaces both layers.
        if layer.name not in rows:
            return layer(*args, **kwargs)
        shape = rows[layer.name].shape
        table = Embedding(*shape, trainable=False, name=layer.name + TABLE)
        return table(*args)

    merged = rebuild(model, inputs_like(model), call, trainable=None)
    copy_weights(model, merged)
    for name, values in rows.items():
        merged.get_layer(name + TABLE).set_weights([values])
    return merged


def _rows(table, aggregation):
    """Returns the vector of every id, `[input_dim, D]`."""
    blocks = np.array_split(np.arange(table.input_dim), -(-table.input_dim // BLOCK))
    return np.concatenate([np.asarray(aggregation(table(ids))) for ids in blocks])
