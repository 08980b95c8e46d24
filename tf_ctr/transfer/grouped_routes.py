"""AutoFT for inference: no instance runs through the branch that it does not take."""

import functools
import glob

import keras
import numpy as np
from keras import tree

from tf_ctr.layers import BranchRows, CrossLayer, MergeBranches, RoutedCross
from tf_ctr.surgery.names import ROUTE
from tf_ctr.surgery.rebuild import copy_weights, inputs_like, rebuild
from tf_ctr.surgery.routes import route_branches
from tf_ctr.transfer.static_routes import fix_routes
from tf_ctr.transfer.twin_tables import FIELD_ROUTE, twin_tables


def group_by_route(model):
    """Returns a model of the same scores with one branch per instance.

    In place of two layers and their `Route`:

    * Copies with the same weights: one of them.
    * A table (`Embedding`): `TwinEmbedding`, one gather from either half.
    * A `CrossLayer`: `RoutedCross`, which chooses the weights.
    * Another layer with a kernel: both layers, each on its own rows of the batch
      (`BranchRows`, `MergeBranches`). A branch that no instance takes runs on none.

    Everything else keeps both branches and the `Route`: layers without a kernel,
    Keras's own tables, embeddings of numbers. The policy on fields sees the frozen
    rows of all fields, so that embeddings still take two gathers.

    For inference with TensorFlow, not for training. To serve it and keep `model` for
    training: `export(model, schema, directory, served=group_by_route(model))`.

    Source: AutoFT (arXiv 2106.04873) calls its inference cost almost that of DCN and
    does not say how; the form is ours. `pipelines.benchmarks.autoft_cost` measures it.

    Args:
        model: A model made by `tf_ctr.transfer.autoft` or `spottune`; it is not
            changed. Its routed layers treat the rows of a batch independently.

    Returns:
        A new, uncompiled `keras.Model` with the layer names of `model`, and
        `routed_ids`, `{site}_frozen_rows` and `{site}_tuned_rows`.

    Raises:
        ValueError: If `model` has no routes.

    Example:

    >>> import keras
    >>> from tf_ctr.transfer import autoft, group_by_route
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
        for route, pair in route_branches(model).items()
        if not route.endswith(FIELD_ROUTE) and _has_kernel(model.get_layer(pair[1]))
    }
    waiting = {name for pair in pairs.values() for name in pair}

    def call(layer, *args, **kwargs):
        if layer.name in waiting:  # Called by its route, on the rows that take it.
            return functools.partial(layer, *args, **kwargs)
        if layer.name in pairs:
            return _one_branch(layer, *args)
        return layer(*args, **kwargs)

    target = rebuild(model, inputs_like(model), call)
    crosses = [la for la in target.layers if isinstance(la, RoutedCross)]
    copy_weights(model, target, skip=[glob.escape(la.name) for la in crosses])
    for cross in crosses:
        twins = (model.get_layer(name) for name in pairs[f"{cross.name}{ROUTE}"])
        (kernel, bias), (tuned_kernel, tuned_bias) = (la.get_weights() for la in twins)
        cross.set_weights([kernel, tuned_kernel, np.stack([bias, tuned_bias])])
    return target


def _has_kernel(layer):
    return any(len(weight.shape) > 1 for weight in layer.weights)


def _one_branch(route, frozen, tuned, gates):
    """Makes the calls of two layers one, as `route` will choose.

    Args:
        route: The `Route`.
        frozen: The call of the frozen layer, a `functools.partial`.
        tuned: The call of the fine-tuned layer.
        gates: What the route decides by.
    """
    layer = tuned.func
    own = {"decision": route.decision, "dtype": layer.dtype_policy}
    if type(layer) is CrossLayer:  # A subclass may cross otherwise.
        cross = RoutedCross(name=layer.name, **own)
        return cross(*tuned.args, **tuned.keywords, gates=gates)
    outputs = []
    for branch, name in ((frozen, "frozen"), (tuned, "tuned")):
        rows = BranchRows(
            frozen=branch is frozen, name=f"{layer.name}_{name}_rows", **own
        )
        args, kwargs = tree.map_structure(
            lambda x, rows=rows: (
                rows(x, gates) if isinstance(x, keras.KerasTensor) else x
            ),
            (branch.args, branch.keywords),
        )
        outputs.append(branch.func(*args, **kwargs))
    return MergeBranches(name=route.name, **own)(*outputs, gates)
