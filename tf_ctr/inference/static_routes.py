"""Models in which routed sites take one branch for every instance."""

from keras import tree

from tf_ctr.errors import check_name
from tf_ctr.layers import Route
from tf_ctr.surgery import copy_layer, copy_weights, inputs_like, rebuild, route_shares
from tf_ctr.surgery.names import ROUTE
from tf_ctr.surgery.routes import check_routed


def static_route(model, dataset):
    """Returns a plain model of the branch that most instances take, site by site.

    It has the graph, the layer names and the size of the model that `autoft` was
    given, and costs the same; its scores are other ones. What it loses,
    `tf_ctr.evaluation.auc_loss(model, static, frame, schema)` says.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`; it is not changed.
        dataset: Batches that `model.predict` takes; half of the instances suffice for
            the frozen branch.

    Returns:
        A new, uncompiled `keras.Model`. A table is there twice, as `{table}` and
        `{table}_frozen`, only if some of its fields take one and some the other.

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


def fix_routes(model, frozen=None):
    """Returns a model in which some sites take one branch for every instance.

    Frozen and fine-tuned copies with the same weights become one, whatever was asked
    for; so do copies of which no route takes the fine-tuned one. Everything that this
    leaves without a use goes.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`; it is not changed.
        frozen: `{site: whether it takes the frozen branch}`; the other sites stay
            routed. Defaults to none: the scores stay what they are.

    Returns:
        A new, uncompiled `keras.Model`. One that was two is called as the fine-tuned
        copy, `{site}`.

    Raises:
        ValueError: If `model` has no routes, or a site is none of them.

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
    frozen = dict(frozen or {})
    graph = check_routed(model)
    sites = [route.removesuffix(ROUTE) for route in graph.routes]
    for site in frozen:
        check_name("routed site", site, sites)
    merged = _merged(model, graph.branches, frozen)
    single = {name: merged.get(name, name) for pair in merged.items() for name in pair}
    copies = {
        name: copy_layer(model.get_layer(name), trainable=None)
        for name in set(single.values())
    }
    outputs = {}

    def call(layer, *args, **kwargs):
        if layer.name in single:
            name = single[layer.name]
            key = (name, *map(id, tree.flatten((args, kwargs))))
            if key not in outputs:
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
    for frozen_name, name in merged.items():
        weights = model.get_layer(frozen_name).get_weights()
        target.get_layer(name).set_weights(weights)
    return target


def _merged(model, branches, frozen):
    """Returns `{frozen layer: tuned layer}` of the pairs that become one.

    One with the weights of the frozen layer, which are those of both if equal.
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
