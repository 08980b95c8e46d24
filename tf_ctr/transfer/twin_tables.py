"""One table for the frozen and the fine-tuned rows of AutoFT, for inference."""

import glob

import numpy as np

from tf_ctr.layers import Embedding, RoutedIds, TwinEmbedding
from tf_ctr.surgery.names import ROUTE
from tf_ctr.surgery.rebuild import copy_weights, inputs_like, rebuild
from tf_ctr.surgery.routes import route_branches

FIELD_ROUTE = f"_embedding{ROUTE}"


def twin_tables(model):
    """Returns a model of the same scores that looks routed rows up in one gather.

    Every `Embedding` and its frozen copy become a `TwinEmbedding` of the name of the
    first; `RoutedIds`, called `routed_ids`, takes the place of their routes.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`; it is not changed.

    Returns:
        A new, uncompiled `keras.Model`; `model` itself, if it routes no such table.

    Example:

    >>> import keras
    >>> from tf_ctr.layers import Embedding
    >>> from tf_ctr.transfer import autoft
    >>> inputs = {"user": keras.Input((), dtype="int64", name="user")}
    >>> rows = Embedding(5, 2, name="user_embedding")(inputs["user"])
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(rows)
    >>> model = autoft(keras.Model(inputs, click))
    >>> [layer.name for layer in twin_tables(model).layers]
    ['user', 'user_embedding', 'embedding_router', 'routed_ids', 'click']
    """
    routes = {
        route: pair
        for route, pair in route_branches(model).items()
        if route.endswith(FIELD_ROUTE) and type(model.get_layer(pair[1])) is Embedding
    }
    if not routes:
        return model
    inputs, routed_ids = inputs_like(model), {}
    pairs = dict(routes.values())
    tables = {tuned: _twin(model.get_layer(tuned)) for tuned in pairs.values()}

    def call(layer, *args, **kwargs):
        if layer.name in pairs:
            return tables[pairs[layer.name]](*args, **kwargs)
        if layer.name in tables:  # For a field whose route is fixed.
            ids, *_ = (*args, *kwargs.values())
            return tables[layer.name](ids + layer.input_dim)
        if layer.name not in routes:
            return layer(*args, **kwargs)
        if not routed_ids:
            routed_ids.update(_route_ids(model, routes, tables, inputs, args[-1]))
        return tables[routes[layer.name][1]](routed_ids[layer.name])

    target = rebuild(model, inputs, call)
    copy_weights(model, target, skip=[glob.escape(name) for name in tables])
    for pair in pairs.items():
        halves = [model.get_layer(name).get_weights()[0] for name in pair]
        target.get_layer(pair[1]).set_weights([np.concatenate(halves)])
    return target


def _twin(table):
    return TwinEmbedding(
        table.input_dim, table.output_dim, dtype=table.dtype_policy, name=table.name
    )


def _route_ids(model, routes, tables, inputs, gates):
    """Returns `{route: ids in the table of both}` of all fields."""
    layer = RoutedIds(
        [model.get_layer(route).decision for route in routes],
        [tables[tuned].input_dim for _, tuned in routes.values()],
        name="routed_ids",
    )
    ids = [inputs[route.removesuffix(FIELD_ROUTE)] for route in routes]
    return dict(zip(routes, layer(ids, gates), strict=True))
