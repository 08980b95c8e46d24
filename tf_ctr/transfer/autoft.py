"""AutoFT: per instance, choose between frozen and fine-tuned parameters."""

import functools

import numpy as np

from tf_ctr.errors import explain, unknown_name
from tf_ctr.layers import GumbelRouter, Route
from tf_ctr.surgery.graph import Graph
from tf_ctr.surgery.names import FROZEN, ROUTE
from tf_ctr.surgery.rebuild import (
    copy_layer,
    copy_weights,
    inputs_like,
    instance_vector,
    look_up,
    rebuild,
)
from tf_ctr.surgery.towers import silence


def autoft(
    source,
    which=None,
    policy_units=(64,),
    temperature=5.0,
    policy_learning_rate_multiplier=10.0,
    stop_policy_gradient=False,
    sample_at_eval=False,
    literal_relu=False,
    seed=None,
    initial_frozen_probability=None,
    entropy_weight=0.0,
    budget=None,
    budget_weight=1.0,
):
    """Returns a target model that routes each instance between two copies.

    Every embedding table and every hidden layer of the source is there twice, once
    frozen and once trainable, both starting from the source. A policy network per
    component decides for each instance, field by field for the embeddings and layer
    by layer for the rest, which copy is used. The prediction layer is there once
    and trained. Before training the scores are those of the source.

    A frozen copy gives in training what it gives at inference: it does not learn,
    its BatchNorm runs in inference mode, and there is neither dropout nor noise.

    Source: AutoFT (arXiv 2106.04873), section 3.2 (Eqs. 6 to 8) and 3.3.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        which: Components to route, of `"embedding"` and the layer name prefixes of
            `source` (`"cross"` and `"deep"` for DCN). Defaults to all. A number
            that a `Dense` named `{field}_embedding` embeds is a field of
            `"embedding"`. A component left out is fine-tuned, as in the ablation of
            the paper's Table 4.
        policy_units: Hidden widths of a policy network; see `GumbelRouter`.
        temperature: Initial temperature of the Gumbel-softmax.
        policy_learning_rate_multiplier: Factor on the policies' learning rate; see
            `GumbelRouter`, also for why it is not below 1.
        stop_policy_gradient: Cut the gradient from the policies into their input.
        sample_at_eval: Sample the route at inference too; such a model is random and
            cannot be exported.
        literal_relu: Read the paper's Eqs. 9 and 13 literally.
        seed: Seed of the sampling noise; each router draws noise of its own.
        initial_frozen_probability: How the policies start; with `entropy_weight`,
            `budget` and `budget_weight` see `GumbelRouter`. The paper has none of
            the four. To pull the trainable copies to the frozen ones, too, use
            `l2_sp(source, target=autoft(source))`.
        entropy_weight: Weight of the policies' entropy.
        budget: Wanted share of frozen decisions, of each policy network.
        budget_weight: Weight of the budget.

    Returns:
        A new, uncompiled `keras.Model`. Added layers: `{site}_frozen`,
        `{site}_route`, `{component}_router`.

    Raises:
        ValueError: If `which` names no component of `source`, or nothing is left to
            route; or if `source` is not a functional model with dict inputs, or is
            itself made by `autoft`.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> source = keras.Model(
    ...     inputs, keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    ... )
    >>> [layer.name for layer in autoft(source).layers]
    ['age', 'deep_0_frozen', 'deep_0', 'deep_router', 'deep_0_route', 'click']
    """
    graph = Graph(source)
    if graph.routes:
        raise ValueError(
            explain(
                "a source with one copy of each layer",
                f"'{source.name}', which autoft made",
                "start from the model that autoft was given, or use fine_tune",
            )
        )
    embeddings, components = graph.embeddings, graph.components
    which = _check_which(which, embeddings, components)
    router = functools.partial(
        _router,
        seed=seed,
        hidden_units=tuple(policy_units),
        temperature=temperature,
        learning_rate_multiplier=policy_learning_rate_multiplier,
        stop_gradient=stop_policy_gradient,
        sample_at_eval=sample_at_eval,
        literal_relu=literal_relu,
        initial_frozen_probability=initial_frozen_probability,
        entropy_weight=entropy_weight,
        budget=budget,
        budget_weight=budget_weight,
    )
    inputs = inputs_like(source)
    rows = _embed(source, inputs, embeddings, router if "embedding" in which else None)
    instance = instance_vector(inputs, rows)
    gates = {}
    for component, sites in components.items():
        if component not in which:
            continue
        output = router(component, len(sites))(instance)
        gates |= {site: (i, output) for i, site in enumerate(sites)}

    def call(layer, *args, **kwargs):
        if layer.name in embeddings.values():
            field, *_ = (*args, *kwargs.values())
            return rows[field.name]
        tuned = layer(*args, **kwargs)
        if layer.name not in gates:
            return tuned
        twin = copy_layer(source.get_layer(layer.name), FROZEN, trainable=False)
        silence(twin)
        frozen = twin(*args, **kwargs)
        decision, output = gates[layer.name]
        return Route(decision, name=f"{layer.name}{ROUTE}")(frozen, tuned, output)

    model = rebuild(source, inputs, call)
    copy_weights(source, model)
    copy_weights(source, model, suffix=FROZEN)
    return model


def _router(component, num_decisions, seed, **arguments):
    """The policy network of a component, with noise that no other component has."""
    if seed is not None:
        entropy = [seed, *component.encode()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    name = f"{component}_router"
    return GumbelRouter(num_decisions, seed=seed, name=name, **arguments)


def _check_which(which, embeddings, components):
    valid = ({"embedding"} if embeddings else set()) | set(components)
    if which is None:
        which = valid
    which = {which} if isinstance(which, str) else set(which)
    for name in sorted(which - valid):
        raise ValueError(unknown_name("component", name, valid))
    if not which:
        raise ValueError(
            explain(
                "an embedding table or a hidden layer to route",
                f"none of the components {sorted(valid)}",
                "name some, or use fine_tune for a model without any",
            )
        )
    return which


def _embed(source, inputs, embeddings, router):
    """Looks every field up, choosing field by field if there is a router."""
    tuned = look_up(source, inputs, embeddings)
    if router is None:
        return tuned
    frozen = look_up(source, inputs, embeddings, FROZEN, trainable=False)
    policy = router("embedding", len(embeddings))
    gates = policy(instance_vector(inputs, frozen, suffix=FROZEN))
    return {
        field: Route(i, name=f"{field}_embedding{ROUTE}")(
            frozen[field], tuned[field], gates
        )
        for i, field in enumerate(embeddings)
    }
