"""Chooses which layers of a tuned model go back to their source, on unseen rows."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_count, check_name, explain
from tf_ctr.features import Schema
from tf_ctr.inference.held_out import AUCs, Choice, HeldOut, Weights, set_weights
from tf_ctr.inference.static_routes import fix_routes
from tf_ctr.rows import Source
from tf_ctr.surgery import Graph, copy_weights, inputs_like, rebuild, route_shares
from tf_ctr.surgery.names import ROUTE
from tf_ctr.surgery.same_ids import check_same_ids

# With so few sites, all choices are tried: at most 64.
FEW_SITES = 6
# A site that gains less AUC stays as it is.
LEAST_GAIN = 1e-5


@dataclasses.dataclass(frozen=True)
class ChosenRoutes:
    """The result of `choose_routes`.

    Attributes:
        model: An uncompiled model with the layers, the size and the cost of the source.
        from_source: `{site: whether it has the weights of the source}`.
        steps: The changes in their order: columns `site`, `weights` ("source" or
            "tuned") and `auc`, the AUC on the rows after the change.
        auc_before: The AUC on the rows before the first change.
        unseen_gain: The mean gain in AUC of a choice on rows that it did not see.
        unseen_gain_error: The standard error of that mean over the folds.
    """

    model: keras.Model
    from_source: dict[str, bool]
    steps: pd.DataFrame
    auc_before: float
    unseen_gain: float
    unseen_gain_error: float

    def __str__(self) -> str:
        back = [site for site, source in self.from_source.items() if source]
        return (
            f"AUC {self.auc_before:.4f} before, {self.unseen_gain:+.4f} "
            f"(standard error {self.unseen_gain_error:.4f}) on rows that a choice did "
            f"not see; from the source: {', '.join(back) or 'nothing'}"
        )


def choose_routes(
    model: keras.Model,
    rows: Source,
    schema: Schema,
    source: keras.Model | None = None,
    sites: Sequence[str] | None = None,
    folds: int = 4,
    seed: int = 0,
    batch_size: int = 8192,
    verbose: int = 1,
) -> ChosenRoutes:
    """Puts layers of a tuned model back to their source where that raises the AUC.

    A site is an embedding table or a hidden layer. The site whose change of weights
    raises the AUC most is changed, in either direction, until none raises it; with at
    most six sites, all choices are compared. The rows must be new to the model: layers
    look better on the rows that trained them than they are.

    A choice by AUC overfits, too. So it is repeated for each fold of the rows on all
    others; the mean gain on the folds tells what a choice gains on unseen rows. If that
    is not above its standard error, the model stays as it is, and a line says so.

    The choice is the same for all examples, so the result costs no more than its
    backbone. It helps most where a source that saw the target's rows is tuned on them
    again, because tuned layers then trust rows that they remember: by .0014 AUC over
    `fine_tune` on MovieLens-1M, and by nothing from a source without such rows
    (`python -m pipelines.compare.routes_study`).

    Args:
        model: A model made by `tf_ctr.transfer.fine_tune`, trained, with its `source`;
            or one with routes, made by `autoft` or `spottune`, which holds both copies
            and starts with the branch of most examples. It is not changed.
        rows: Labelled rows that `model` was not trained on.
        schema: The fitted `Schema` of the model.
        source: The model that `model` started from. Layers whose weights have another
            shape there are no sites.
        sites: The layers to choose for, by name. Defaults to all tables and hidden
            layers whose weights differ.
        folds: Parts of the rows for the gain on unseen rows, at least 2.
        seed: Seed of the split into folds.
        batch_size: Rows per batch. Only memory and speed depend on it.
        verbose: 1 prints every fold, step and the result, 0 nothing.

    Returns:
        The chosen model and how it was chosen.

    Raises:
        ValueError: If `model` has no routes and `source` is not given, both are given,
            nothing can be chosen, a site is unknown, a fold has labels of one class,
            or the schema has several labels, or other ids than the model.

    Example:

    >>> import keras, numpy as np, pandas, tf_ctr
    >>> from tf_ctr.transfer import fine_tune
    >>> ids = ["bad", "good"] * 8
    >>> rows = pandas.DataFrame({"item": ids, "click": [0, 1] * 8})
    >>> schema = tf_ctr.Schema([tf_ctr.Categorical("item")]).fit(rows)
    >>> source = tf_ctr.backbones.dnn(schema, embedding_dim=1, hidden_units=(1,))
    >>> tuned = fine_tune(source)
    >>> for model, sign in ((source, 1.0), (tuned, -1.0)):
    ...     model.set_weights([np.ones(weight.shape) for weight in model.weights])
    ...     table = [[0.0], [0.0], [0.0], [1.0]]  # Padding, unknown, bad, good.
    ...     model.get_layer("item_embedding").set_weights([sign * np.array(table)])
    >>> chosen = choose_routes(
    ...     tuned, rows, schema, source, sites=["item_embedding"], folds=2, verbose=0
    ... )
    >>> chosen.from_source, chosen.auc_before, chosen.unseen_gain
    ({'item_embedding': True}, 0.0, 1.0)
    """
    check_count("folds", folds, 2)
    check_same_ids(model, schema)
    held_out = HeldOut(rows, schema, folds, seed, batch_size)
    tuned, original = _copies(model, source)
    weights = _weights(tuned, original, sites)
    start = dict.fromkeys(weights, False)
    if source is None:
        start |= {
            site: share >= 0.5
            for site, share in _shares(model, held_out.features).items()
            if site in weights
        }
    aucs = AUCs(tuned, weights, held_out)

    gains = []
    for fold in range(folds):
        chosen = _search(start, functools.partial(aucs.outside, fold))
        best, _ = chosen[-1]
        gains.append(aucs(best).within[fold] - aucs(start).within[fold])
        if verbose:
            print(
                f"fold {fold + 1} of {folds}: {gains[-1]:+.4f} AUC by the other folds"
            )
    gain, error = np.mean(gains), np.std(gains, ddof=1) / folds**0.5
    path = _search(start, lambda choice: aucs(choice).overall)
    pays = gain > error
    if not pays:
        path = path[:1]

    choice, _ = path[-1]
    set_weights(tuned, weights, choice)
    steps = _steps(path)
    result = ChosenRoutes(tuned, choice, steps, path[0][1], float(gain), float(error))
    if verbose:
        for step in steps.itertuples():
            print(f"{step.site} to {step.weights}: AUC {step.auc:.4f}")
        if not pays:
            print("nothing is changed: a choice gains nothing on rows it did not see")
        print(result)
    return result


def _copies(
    model: keras.Model, source: keras.Model | None
) -> tuple[keras.Model, keras.Model]:
    """Returns the tuned and the source model, both without routes."""
    routes = Graph(model).routes
    if bool(routes) == (source is not None):
        raise ValueError(
            explain(
                "a model with routes, or one without routes and its source",
                f"'{model.name}', which has {'' if routes else 'no '}routes, and "
                f"{'a' if routes else 'no'} source",
                "leave the source out; the model holds both copies"
                if routes
                else "pass source=, the model that was passed to fine_tune",
            )
        )
    if source is None:
        sites = [name.removesuffix(ROUTE) for name in routes]
        tuned = fix_routes(model, dict.fromkeys(sites, False))
        return tuned, fix_routes(model, dict.fromkeys(sites, True))
    tuned = rebuild(model, inputs_like(model), trainable=None)
    copy_weights(model, tuned)
    return tuned, source


def _weights(
    tuned: keras.Model, source: keras.Model, sites: Sequence[str] | None
) -> Weights:
    """Returns the weights of the sites at which the two models differ."""
    graph = Graph(tuned)
    found, originals = {}, {layer.name: layer for layer in source.layers}
    for name in (*graph.tables, *graph.depths):
        if name in originals:
            pair = tuned.get_layer(name).get_weights(), originals[name].get_weights()
            shapes = [[array.shape for array in each] for each in pair]
            if shapes[0] == shapes[1] and not all(map(np.array_equal, *pair)):
                found[name] = pair
    for site in sites or ():
        check_name("layer that differs from the source", site, list(found))
    if not found:
        raise ValueError(
            explain(
                "a table or hidden layer that was trained away from its source",
                f"none in '{tuned.name}'",
                "train the model first, and pass the model that it started from",
            )
        )
    return {name: found[name] for name in found if sites is None or name in sites}


def _shares(model: keras.Model, features: tf.data.Dataset) -> dict[str, float]:
    """Returns the share of examples that take the frozen copy of each layer."""
    shares: dict[str, list[float]] = {}
    branches = Graph(model).branches
    for site, share in route_shares(model, features).items():
        # A table of two fields has two routes.
        shares.setdefault(branches[site + ROUTE][1], []).append(share)
    return {layer: float(np.mean(each)) for layer, each in shares.items()}


def _search(
    start: Choice, auc: Callable[[Choice], float]
) -> list[tuple[Choice, float]]:
    """Returns the choices from the start to the best one found, with their AUC."""
    path = [(start, auc(start))]
    if len(start) <= FEW_SITES:
        every = itertools.product((False, True), repeat=len(start))
        choices = [dict(zip(start, each, strict=True)) for each in every]
        # Of equals, the one with the fewest changes: a site that gains nothing stays.
        choices.sort(key=lambda choice: sum(choice[s] != start[s] for s in start))
        best = max(choices, key=auc)
        return (
            path if auc(best) - path[0][1] <= LEAST_GAIN else [*path, (best, auc(best))]
        )
    while True:
        choice, before = path[-1]
        best = max(({**choice, site: not choice[site]} for site in choice), key=auc)
        if auc(best) - before <= LEAST_GAIN:
            return path
        path.append((best, auc(best)))


def _steps(path: Sequence[tuple[Choice, float]]) -> pd.DataFrame:
    """Returns a row per changed site."""
    rows = [
        (site, "source" if after[site] else "tuned", auc)
        for (before, _), (after, auc) in itertools.pairwise(path)
        for site in after
        if after[site] != before[site]
    ]
    return pd.DataFrame(rows, columns=["site", "weights", "auc"])
