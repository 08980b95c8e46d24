"""Measures the share of instances that take the frozen branch, site by site."""

from typing import Any

import keras
import numpy as np
import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.surgery.graph import Graph
from tf_ctr.surgery.names import ROUTE


def route_shares(model: keras.Model, dataset: Any) -> pd.Series:
    """Returns the share of instances that take the frozen branch at each site.

    Source: AutoFT (arXiv 2106.04873), Figure 3.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`.
        dataset: Batches for `model.predict`.

    Returns:
        Shares in [0, 1], indexed by site: `"{field}_embedding"` for an embedding, the
        name of the layer for a depth (`"deep_0"`).

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


def gate_model(model: keras.Model) -> keras.Model:
    """Returns a model that outputs the gates instead of the clicks.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`.

    Returns:
        A model from the inputs of `model` to `{site: [B]}`, 1 where an instance
        takes the frozen branch. It shares the layers of `model`.

    Raises:
        ValueError: If `model` has no routes.
    """
    gates = {
        name.removesuffix(ROUTE): route.input[2][:, route.decision]
        for name, route in check_routed(model).routes.items()
    }
    return keras.Model(model.input, gates)


def mean_gates(gates: keras.Model, dataset: Any) -> pd.Series:
    """Returns the mean of every output of a `gate_model` over a data set."""
    shares = {
        site: np.mean(taken, dtype="float64")
        for site, taken in gates.predict(dataset, verbose=0).items()
    }
    return pd.Series(shares, name="frozen_share")


def check_routed(model: keras.Model) -> Graph:
    """Raises unless a model has routes, as the models of `autoft` do.

    Returns:
        The model's `Graph`.

    Raises:
        ValueError: If the model has no routes.
    """
    graph = Graph(model)
    if not graph.routes:
        raise ValueError(
            explain(
                "a model with routes",
                f"'{model.name}', which has no Route layer",
                "make it with tf_ctr.transfer.autoft(source)",
            )
        )
    return graph
