"""The layers of a functional model that can be adapted, and those of AutoFT."""

import keras

from tf_ctr.errors import explain
from tf_ctr.layers import Route
from tf_ctr.transfer.calls import graph_calls, upstream
from tf_ctr.transfer.tables import is_table


def depth_sites(model):
    """Returns the names of the adaptable layers, in the order of the forward pass.

    A site has weights, is no embedding table, and is not the prediction layer:
    another layer with weights comes after it.

    Args:
        model: A functional `keras.Model`.

    Returns:
        List of layer names, e.g. `["cross_0", "deep_0", "deep_1"]`.

    Raises:
        ValueError: If the model is not functional with dict inputs, or a site is
            called more than once (its depth is then not one place).
    """
    calls = graph_calls(model)
    layers = {layer.name: layer for layer in model.layers}
    with_successor = set()
    for name, before in upstream(calls):
        if _has_depth(layers.get(name)):
            with_successor |= before
    sites = [
        layer.name
        for layer in model.layers
        if _has_depth(layer) and layer.name in with_successor
    ]
    _check_called_once(sites, [name for name, _ in calls])
    return sites


def route_branches(model):
    """Returns which two layers every route of an AutoFT model chooses between.

    Args:
        model: A functional `keras.Model`.

    Returns:
        `{route: (frozen layer, tuned layer)}`, all names.
    """
    routes = {layer.name for layer in model.layers if isinstance(layer, Route)}
    return {
        name: tuple(parents[:2])
        for name, parents in graph_calls(model)
        if name in routes
    }


def _has_depth(layer):
    return (
        isinstance(layer, keras.Layer) and bool(layer.weights) and not is_table(layer)
    )


def _check_called_once(sites, called):
    shared = [name for name in sites if called.count(name) > 1]
    if shared:
        raise ValueError(
            explain(
                "every layer of the network to be called once",
                f"several calls of {shared}",
                "build one layer per call; only embedding tables may be shared",
            )
        )
