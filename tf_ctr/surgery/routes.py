"""Which share of the instances takes the frozen branch, site by site."""

import keras
import numpy as np
import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.layers import Route
from tf_ctr.surgery.graph import graph_calls
from tf_ctr.surgery.names import ROUTE


def gate_model(model):
    """Returns a model of the gates instead of the clicks.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`.

    Returns:
        `keras.Model` from the inputs of `model` to `{site: [B]}`, 1 where an instance
        takes the frozen branch. It shares the layers of `model`.

    Raises:
        ValueError: If `model` has no routes.
    """
    gates = {
        site: route.input[2][:, route.decision] for site, route in routes(model).items()
    }
    return keras.Model(model.input, gates)


def has_routes(model) -> bool:
    """Whether a model chooses between branches, as those of `autoft` do."""
    return any(isinstance(layer, Route) for layer in model.layers)


def routes(model):
    """Returns `{site: its Route layer}` of a model made by `tf_ctr.transfer.autoft`.

    Raises:
        ValueError: If `model` has no routes.
    """
    found = [layer for layer in model.layers if isinstance(layer, Route)]
    if not found:
        raise ValueError(
            explain(
                "a model with routes",
                f"'{model.name}', which has no Route layer",
                "make it with tf_ctr.transfer.autoft(source)",
            )
        )
    return {route.name.removesuffix(ROUTE): route for route in found}


def route_shares(model, dataset):
    """Returns the share of instances that take the frozen branch at each site.

    Source: AutoFT (arXiv 2106.04873), Figure 3.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`.
        dataset: Batches that `model.predict` takes.

    Returns:
        `pandas.Series` of shares in [0, 1], indexed by site: the field for an
        embedding (`"user_embedding"`), the layer for a depth (`"deep_0"`).

    Raises:
        ValueError: If `model` has no routes.

    Example:

    >>> import keras, numpy as np
    >>> from tf_ctr.transfer import autoft
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    >>> model = autoft(keras.Model(inputs, click))
    >>> route_shares(model, {"age": np.zeros((8, 1))})
    deep_0    1.0
    Name: frozen_share, dtype: float64
    """
    return mean_gates(gate_model(model), dataset)


def mean_gates(gates, dataset):
    """Returns the mean of every output of a `gate_model`, as `pandas.Series`."""
    shares = {
        site: np.mean(taken, dtype="float64")
        for site, taken in gates.predict(dataset, verbose=0).items()
    }
    return pd.Series(shares, name="frozen_share")


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
