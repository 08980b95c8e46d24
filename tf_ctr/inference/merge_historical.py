"""Historical embeddings joined once for every id, for serving."""

import numpy as np

from tf_ctr.layers import Embedding, SnapshotAggregation, SnapshotTable
from tf_ctr.surgery import Graph, copy_weights, inputs_like, rebuild
from tf_ctr.surgery.names import TABLE

# Rows that are joined at once.
BLOCK = 65_536


def merge_historical(model):
    """Returns a model that looks up one vector per id in place of its snapshots.

    What a `SnapshotTable` and a `SnapshotAggregation` give depends on the id alone, so
    it is tabulated. The scores are the same but for rounding. `tf_ctr.export.export`
    does it.

    Source: that the attention is frozen after the training of CPM and the tables are
    merged offline into one is what a write-up of E-CDCTR (arXiv 2408.16238) reports.

    Args:
        model: A functional model with historical embeddings, of `add_historical` or
            made from one by a transfer method; it is not changed.

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
    # Reading the calls serialises the model, which warns of a lambda.
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
            return args[0]  # The ids go straight to the table in place of both.
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
    """The vector of every id, `[n, D]`."""
    blocks = np.array_split(np.arange(table.input_dim), -(-table.input_dim // BLOCK))
    return np.concatenate([np.asarray(aggregation(table(ids))) for ids in blocks])
