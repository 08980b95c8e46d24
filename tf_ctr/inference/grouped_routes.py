"""Runs AutoFT with one branch per example: no example runs through both."""

import functools

import keras
import numpy as np
from keras import tree

from tf_ctr.inference.static_routes import fix_routes
from tf_ctr.layers import (
    BranchRows,
    CrossLayer,
    Embedding,
    MergeBranches,
    RoutedCross,
    RoutedIds,
    TwinEmbedding,
)
from tf_ctr.surgery import Graph, copy_weights, inputs_like, rebuild
from tf_ctr.surgery.names import EMBEDDING, FROZEN_ROWS, ROUTE, TUNED_ROWS

FIELD_ROUTE = EMBEDDING + ROUTE


def group_by_route(model: keras.Model) -> keras.Model:
    """Returns a model with the same scores that runs each example through one branch.

    The two layers of a site and their `Route` are replaced:

    * Copies with equal weights become one layer.
    * A table (`Embedding`) becomes a `TwinEmbedding`: one gather from either half.
    * A `CrossLayer` becomes a `RoutedCross`, which chooses its weights per example.
    * Any other layer with a kernel runs on its own rows of the batch, between
      `BranchRows` and `MergeBranches`. A branch that no example takes runs on no rows.

    Other sites keep both branches and the `Route`: layers without a kernel, tables of
    Keras, and embeddings of numbers. The policy for fields reads the frozen rows of all
    fields, so embeddings still take two gathers.

    The model is for inference with TensorFlow, not for training. To serve it and keep
    `model` for training, call
    `export(model, schema, directory, served=group_by_route(model))`.

    Source: AutoFT (arXiv 2106.04873) states that inference costs almost the same as
    DCN, but not how; this form is ours. `pipelines.benchmarks.autoft_cost` measures it.

    Args:
        model: A model made by `tf_ctr.transfer.autoft` or `spottune`; it is not
            changed. Its routed layers must treat the rows of a batch independently.

    Returns:
        A new, uncompiled `keras.Model`. It keeps the names of the layers, and adds
        `routed_ids`, `{site}_frozen_rows` and `{site}_tuned_rows`.

    Raises:
        ValueError: If `model` has no routes.

    Example:

    >>> import keras
    >>> from tf_ctr.inference import group_by_route
    >>> from tf_ctr.transfer import autoft
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    >>> model = autoft(keras.Model(inputs, click))
    >>> _ = model.get_layer("deep_0").bias.assign([1.0] * 4)  # As if trained.
    >>> print(*sorted(layer.name for layer in group_by_route(model).layers))
    age click deep_0 deep_0_frozen deep_0_frozen_rows deep_0_route deep_0_tuned_rows
    deep_router
    """
    model = twin_tables(fix_routes(model))
    pairs = {
        route: pair
        for route, pair in Graph(model).branches.items()
        if not route.endswith(FIELD_ROUTE)
        # A layer without a kernel costs less than splitting the batch.
        and any(len(weight.shape) > 1 for weight in model.get_layer(pair[1]).weights)
    }
    waiting = {name for pair in pairs.values() for name in pair}

    def call(layer, *args, **kwargs):
        if layer.name in waiting:  # Its route calls it later, on the rows that take it.
            return functools.partial(layer, *args, **kwargs)
        if layer.name in pairs:
            return _one_branch(layer, *args)
        return layer(*args, **kwargs)

    target = rebuild(model, inputs_like(model), call)
    crosses = [layer for layer in target.layers if isinstance(layer, RoutedCross)]
    copy_weights(model, target, skip=[layer.name for layer in crosses])
    for cross in crosses:
        twins = (model.get_layer(name) for name in pairs[f"{cross.name}{ROUTE}"])
        (kernel, bias), (tuned_kernel, tuned_bias) = (
            layer.get_weights() for layer in twins
        )
        cross.set_weights([kernel, tuned_kernel, np.stack([bias, tuned_bias])])
    return target


def _one_branch(route, frozen, tuned, gates):
    """Calls each of two layers on the rows of the batch that take it.

    Args:
        route: The `Route` of the site.
        frozen: The call of the frozen layer, a `functools.partial`.
        tuned: The call of the fine-tuned layer.
        gates: The gates `[B, N]` of the router.
    """
    layer = tuned.func
    own = {"decision": route.decision, "dtype": layer.dtype_policy}
    if type(layer) is CrossLayer:  # A subclass may compute something else.
        cross = RoutedCross(name=layer.name, **own)
        return cross(*tuned.args, **tuned.keywords, gates=gates)
    outputs = []
    for branch, suffix in ((frozen, FROZEN_ROWS), (tuned, TUNED_ROWS)):
        rows = BranchRows(frozen=branch is frozen, name=layer.name + suffix, **own)
        args, kwargs = tree.map_structure(
            lambda x, rows=rows: (
                rows(x, gates) if isinstance(x, keras.KerasTensor) else x
            ),
            (branch.args, branch.keywords),
        )
        outputs.append(branch.func(*args, **kwargs))
    return MergeBranches(name=route.name, **own)(*outputs, gates)


def twin_tables(model: keras.Model) -> keras.Model:
    """Returns a model with the same scores that looks routed rows up in one gather.

    Every `Embedding` and its frozen copy become one `TwinEmbedding` with the name of
    the `Embedding`. A `RoutedIds`, named `routed_ids`, replaces their routes.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`; it is not changed.

    Returns:
        A new, uncompiled `keras.Model`; `model` itself, if it routes no `Embedding`.

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
        for route, pair in Graph(model).branches.items()
        if route.endswith(FIELD_ROUTE) and type(model.get_layer(pair[1])) is Embedding
    }
    if not routes:
        return model
    inputs = inputs_like(model)
    routed_ids: dict[str, keras.KerasTensor] = {}
    pairs = dict(routes.values())
    tables = {}
    for tuned in pairs.values():
        old = model.get_layer(tuned)
        tables[tuned] = TwinEmbedding(
            old.input_dim, old.output_dim, dtype=old.dtype_policy, name=tuned
        )

    def call(layer, *args, **kwargs):
        if layer.name in pairs:  # The frozen rows, which the policy reads.
            return tables[pairs[layer.name]](*args, **kwargs)
        if layer.name in tables:  # The tuned rows, for a field whose route is fixed.
            ids = args[0] if args else next(iter(kwargs.values()))
            return tables[layer.name](ids + layer.input_dim)
        if layer.name not in routes:
            return layer(*args, **kwargs)
        if not routed_ids:
            routed_ids.update(_route_ids(model, routes, tables, inputs, args[-1]))
        return tables[routes[layer.name][1]](routed_ids[layer.name])

    target = rebuild(model, inputs, call)
    copy_weights(model, target, skip=list(tables))
    for pair in pairs.items():
        halves = [model.get_layer(name).get_weights()[0] for name in pair]
        target.get_layer(pair[1]).set_weights([np.concatenate(halves)])
    return target


def _route_ids(model, routes, tables, inputs, gates):
    """Returns `{route: ids in the twin table}` for all routed fields."""
    layer = RoutedIds(
        [model.get_layer(route).decision for route in routes],
        [tables[tuned].input_dim for _, tuned in routes.values()],
        name="routed_ids",
    )
    ids = [inputs[route.removesuffix(FIELD_ROUTE)] for route in routes]
    return dict(zip(routes, layer(ids, gates), strict=True))
