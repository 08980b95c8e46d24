"""Fixes routed sites, so that all examples take one branch."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from tf_ctr.errors import check_name
from tf_ctr.layers import Route
from tf_ctr.surgery import copy_layer, copy_weights, inputs_like, rebuild, route_shares
from tf_ctr.surgery.names import ROUTE
from tf_ctr.surgery.routes import check_routed


def static_route(
    model: keras.Model, dataset: tf.data.Dataset | Mapping[str, np.ndarray]
) -> keras.Model:
    """Returns a plain model that takes the branch of most examples at each site.

    The result has the graph, the layer names, the size and the cost of the model that
    was passed to `autoft`. Its scores differ from those of `model`:
    `tf_ctr.evaluation.auc_loss(model, static, frame, schema)` measures the loss.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`; it is not changed.
        dataset: Batches for `model.predict`. A site takes the frozen branch if at least
            half of the examples do.

    Returns:
        A new, uncompiled `keras.Model`. It has two copies of a table, `{table}` and
        `{table}_frozen`, only if the table's fields take different branches.

    Raises:
        ValueError: If `model` has no routes.

    Example:

    >>> import keras, numpy as np
    >>> from tf_ctr.inference import static_route
    >>> from tf_ctr.transfer import autoft
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    >>> model = autoft(keras.Model(inputs, click))
    >>> static = static_route(model, {"age": np.zeros((8, 1))})
    >>> [layer.name for layer in static.layers]
    ['age', 'deep_0', 'click']
    """
    shares = route_shares(model, dataset)
    return fix_routes(model, {site: share >= 0.5 for site, share in shares.items()})


def fix_routes(
    model: keras.Model, frozen: Mapping[str, bool] | None = None
) -> keras.Model:
    """Returns a model in which some sites take one branch for all examples.

    A frozen and a fine-tuned copy become one layer if their weights are equal, or if no
    route takes the fine-tuned copy. Layers that are no longer used are dropped.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`; it is not changed.
        frozen: `{site: whether it takes the frozen branch}`; the other sites stay
            routed. Defaults to none, which keeps the scores.

    Returns:
        A new, uncompiled `keras.Model`. Where two copies became one, it has the name of
        the fine-tuned copy, `{site}`.

    Raises:
        ValueError: If `model` has no routes, or no such site.

    Example:

    >>> import keras
    >>> from tf_ctr.transfer import autoft
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    >>> untrained = autoft(keras.Model(inputs, click))
    >>> [layer.name for layer in fix_routes(untrained).layers]
    ['age', 'deep_0', 'click']
    """
    frozen = frozen or {}
    graph = check_routed(model)
    sites = [route.removesuffix(ROUTE) for route in graph.routes]
    for site in frozen:
        check_name("routed site", site, sites)
    merged = _merged(model, graph.branches, frozen)
    # Both copies of a merged pair, and the layer that takes their place.
    single = {name: merged.get(name, name) for pair in merged.items() for name in pair}
    copies = {
        name: copy_layer(model.get_layer(name), trainable=None)
        for name in set(single.values())
    }
    outputs: dict[tuple[Any, ...], Any] = {}

    def call(layer, *args, **kwargs):
        if layer.name in single:
            name = single[layer.name]
            key = (name, *map(id, tree.flatten((args, kwargs))))
            if key not in outputs:  # The pair is called twice with the same inputs.
                outputs[key] = copies[name](*args, **kwargs)
            return outputs[key]
        if isinstance(layer, Route):
            frozen_rows, tuned_rows, _ = args
            choice = frozen.get(layer.name.removesuffix(ROUTE))
            if frozen_rows is tuned_rows or choice is not None:
                return frozen_rows if choice else tuned_rows
        return layer(*args, **kwargs)

    target = rebuild(model, inputs_like(model), call, trainable=None)
    copy_weights(model, target)
    # A merged layer has the name of the fine-tuned copy, but the frozen weights.
    for frozen_name, name in merged.items():
        weights = model.get_layer(frozen_name).get_weights()
        target.get_layer(name).set_weights(weights)
    return target


def _merged(
    model: keras.Model,
    branches: Mapping[str, tuple[str, str]],
    frozen: Mapping[str, bool],
) -> dict[str, str]:
    """Returns `{frozen layer: tuned layer}` of the pairs that become one layer.

    The layer gets the frozen weights: they are those of both layers, or no route takes
    the tuned layer.
    """
    merged = {}
    for pair in dict.fromkeys(branches.values()):
        sites = [
            route.removesuffix(ROUTE) for route, p in branches.items() if p == pair
        ]
        if all(frozen.get(site) for site in sites) or _equal(model, *pair):
            merged[pair[0]] = pair[1]
    return merged


def _equal(model, *names):
    one, other = (model.get_layer(name).get_weights() for name in names)
    return all((a == b).all() for a, b in zip(one, other, strict=True))
