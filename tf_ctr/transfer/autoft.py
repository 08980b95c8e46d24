"""AutoFT: chooses between frozen and fine-tuned parameters for each instance."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tf_ctr.errors import check_name, explain, unknown_name
from tf_ctr.layers import GumbelRouter, Route
from tf_ctr.surgery import Graph, copy_layer, copy_weights, inputs_like, rebuild
from tf_ctr.surgery.names import EMBEDDING, FROZEN, ROUTE, ROUTER
from tf_ctr.surgery.rebuild import first_argument
from tf_ctr.surgery.towers import silence
from tf_ctr.surgery.vectors import instance_vector, look_up
from tf_ctr.transfer.method import Method


@Method(
    "AutoFT",
    takes=("seed",),
    frozen=(FROZEN,),
    losses=("entropy and budget of the policies",),
    starts_as_source=True,
)
def autoft(
    source: keras.Model,
    which: str | Sequence[str] | None = None,
    router: GumbelRouter | Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Returns a target model that routes each instance between two copies.

    The model has two copies of every embedding table and every hidden layer of the
    source, one frozen and one trainable, which both start from the source. A policy
    network per component decides which copy each instance uses, field by field for the
    embeddings and layer by layer for the rest. There is one prediction layer, which is
    trained. Before training, the scores are those of the source.

    In training, a frozen copy computes the same as at inference: it does not learn,
    its BatchNorm runs in inference mode, and it has neither dropout nor noise.

    In our experiments the result is level with a `fine_tune` that was tuned as well, at
    about twice the cost of training: start with that (`docs/which_method.md`).

    Source: AutoFT (arXiv 2106.04873), section 3.2 (Eqs. 6 to 8) and 3.3.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        which: Components to route: `"embedding"` and the layer name prefixes of
            `source` (`"cross"` and `"deep"` for DCN). Defaults to all. `"embedding"`
            includes numbers that a `Dense` named `{field}_embedding` embeds. A
            component left out is fine-tuned, as in the ablation of the paper's Table 4.
        router: The settings of the policy networks: keyword arguments of
            `tf_ctr.layers.GumbelRouter`, e.g. `{"temperature": 1.0, "budget": 0.5}`, or
            a `GumbelRouter` with this configuration. To also pull the trainable copies
            to the frozen ones, use `l2_sp(source, target=autoft(source))`.
        seed: Seed of the sampling noise, which differs between routers. Defaults to
            the seed of `router`.

    Returns:
        A new, uncompiled `keras.Model`. Added layers: `{site}_frozen`,
        `{site}_route`, `{component}_router`.

    Raises:
        ValueError: If `which` names no component of `source`; if `router` has an
            unknown argument or a value out of range; if nothing is left to route; or if
            `source` is not a functional model with dict inputs, or is itself made by
            `autoft`.

    Example:

    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> source = keras.Model(
    ...     inputs, keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    ... )
    >>> [layer.name for layer in autoft(source).layers]
    ['age', 'deep_0_frozen', 'deep_0', 'deep_router', 'deep_0_route', 'click']
    """
    graph, like = Graph(source), _router_config(router)
    chosen = _components(graph, which)
    inputs = inputs_like(source)
    rows = look_up(source, inputs, graph.embeddings)
    if "embedding" in chosen:
        # The field policy sees the frozen rows: x^S of Eq. 6.
        frozen_rows = look_up(source, inputs, graph.embeddings, FROZEN, trainable=False)
        policy = _policy("embedding", len(rows), like, seed)
        gates = policy(instance_vector(inputs, frozen_rows, suffix=FROZEN))
        for i, field in enumerate(rows):
            route = Route(i, name=f"{field}{EMBEDDING}{ROUTE}")
            rows[field] = route(frozen_rows[field], rows[field], gates)
    # The layer policies see the rows that the fields chose: x_0 of Eq. 7.
    instance = instance_vector(inputs, rows)
    gates_of: dict[str, tuple[int, keras.KerasTensor]] = {}
    for component, depths in graph.components.items():
        if component in chosen:
            gates = _policy(component, len(depths), like, seed)(instance)
            gates_of |= {depth: (i, gates) for i, depth in enumerate(depths)}
    embeddings = set(graph.embeddings.values())

    def call(layer, *args, **kwargs):
        if layer.name in embeddings:
            return rows[first_argument(args, kwargs).name]
        tuned = layer(*args, **kwargs)
        if layer.name not in gates_of:
            return tuned
        twin = copy_layer(source.get_layer(layer.name), FROZEN, trainable=False)
        silence(twin)
        frozen = twin(*args, **kwargs)
        decision, gates = gates_of[layer.name]
        return Route(decision, name=layer.name + ROUTE)(frozen, tuned, gates)

    model = rebuild(source, inputs, call)
    copy_weights(source, model)
    copy_weights(source, model, suffix=FROZEN)
    return model


def _components(graph: Graph, which: str | Sequence[str] | None) -> set[str]:
    """Returns the checked components to route."""
    if graph.routes:
        raise ValueError(
            explain(
                "a source with one copy of each layer",
                f"'{graph.model.name}', which autoft made",
                "start from the model that was passed to autoft, or use fine_tune",
            )
        )
    valid = ({"embedding"} if graph.embeddings else set()) | set(graph.components)
    if which is None:
        which = sorted(valid)
    chosen = {which} if isinstance(which, str) else set(which)
    for name in sorted(chosen - valid):
        raise ValueError(unknown_name("component", name, valid))
    if not chosen:
        raise ValueError(
            explain(
                "an embedding table or a hidden layer to route",
                f"none of the components {sorted(valid)}",
                "name some, or use fine_tune for a model without any",
            )
        )
    return chosen


def _router_config(
    router: GumbelRouter | Mapping[str, Any] | None,
) -> tuple[type[GumbelRouter], dict[str, Any]]:
    """Returns the class of the policies, and the configuration that they share."""
    if isinstance(router, GumbelRouter):
        return type(router), router.get_config()
    # With a seed: a router without one draws one from Python's generator, which moves
    # all draws after it, and so the initial weights of the policies.
    own = {"name", "num_decisions", "seed", "trainable"}
    valid = set(GumbelRouter(1, seed=0).get_config()) - own
    for name in router or {}:
        check_name("argument of GumbelRouter", name, valid)
    config = GumbelRouter(1, seed=0, **(router or {})).get_config()
    return GumbelRouter, {**config, "seed": None}


def _policy(
    component: str,
    num_decisions: int,
    like: tuple[type[GumbelRouter], dict[str, Any]],
    seed: int | None,
) -> GumbelRouter:
    """Returns the router of a component, with noise that no other component has."""
    kind, config = like
    seed = config["seed"] if seed is None else seed
    if seed is not None:
        entropy = [seed, *component.encode()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    own = {"num_decisions": num_decisions, "name": component + ROUTER, "seed": seed}
    return kind.from_config({**config, **own})
