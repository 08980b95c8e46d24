"""CTNet: a frozen source tower that feeds a trainable target tower."""

from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Any, Literal

import keras

from tf_ctr.errors import check_choice, explain
from tf_ctr.layers import GLUAdapter, Sum
from tf_ctr.surgery import copy_weights, inputs_like, rebuild
from tf_ctr.surgery.joining import add_before_activation
from tf_ctr.surgery.names import ADAPTER, SOURCE, SUM
from tf_ctr.surgery.towers import (
    FrozenTower,
    check_apart,
    frozen_tower,
    load_tower,
    paired_sites,
)
from tf_ctr.transfer.method import Method

ADAPTERS = {"glu": True, "linear": False}
ATTENTION = ("*_sim", "*_eta")


@Method("CTNet", takes=("target",), frozen=(SOURCE,), starts_as_source=True)
def ctnet(
    source: keras.Model,
    target: keras.Model | None = None,
    adapter: Literal["glu", "linear"] = "glu",
    site: Literal["prev", "same"] = "prev",
    where: Literal["before_activation", "after_activation"] = "before_activation",
    start: Literal["exact", "small"] = "exact",
    rank: int | None = None,
    sites: str | Sequence[str] | None = None,
    share_attention: bool | Sequence[str] = False,
) -> keras.Model:
    """Returns a target model with a frozen source tower beside it.

    At every hidden layer an adapter `g` adds a term from the source tower:
    `z_l = f(z_{l-1} W_l + b_l + g_l(a))`, with BatchNorm `f(BN(z_{l-1} W_l + b_l) +
    g_l(a))`. The whole target tower and the adapters are trained. The source tower is
    frozen, and runs in inference mode. Before training, the scores are those of the
    target model.

    `copy_weights(new_source, model, suffix="_source")` copies a newer source model
    into the source tower; adapters and target tower do not change.

    The inputs are those of both models, joined by name, and a name stands for one
    encoding: a field whose ids differ between the domains, because each schema was
    fitted separately, needs a different name in each schema. A tower does not use
    fields that its model lacks. The target's data must have all fields, with zero or
    missing values in fields that the domain does not have.

    Source: CTNet (arXiv 2208.05728), section 3.3, Eqs. 4 and 5. Eq. 4 prints `z^S_l`
    as the adapter's input, but its `z^S_0` is the input of the source tower, and
    Figure 3 draws each adapter from one layer below; this is `site="prev"`. The paper
    does not say where BatchNorm stands; here its statistics stay valid at the start.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        target: A trained functional model for the target domain; it is not changed.
            Defaults to `source`.
        adapter: `"glu"`, or `"linear"` as in the paper's ablation "w/o GLU".
        site: The input of the adapter of layer `l`: `"prev"`, the input of the source
            tower's layer `l`, or `"same"`, its output.
        where: `"before_activation"`, or `"after_activation"`: `z_l = f(...) + g_l(a)`.
        start: `"exact"`, or `"small"` as in the paper; see
            `tf_ctr.layers.GLUAdapter`.
        rank: Rank of the adapters; see `tf_ctr.layers.GLUAdapter`.
        sites: Names of the layers that get an adapter. Defaults to all layers named
            `deep...`, or to all hidden layers without such names.
        share_attention: `True` replaces the SIM and ETA layers of the target tower,
            `..._sim` and `..._eta`, by the outputs of the source tower's layers of
            the same names, as in the paper's section 4.7. A tuple of name patterns
            such as `("*_attention",)` chooses others. With two different models
            this changes the scores at the start.

    Returns:
        A new, uncompiled `keras.Model` with the layer names of `target`. Added
        layers: `{layer}_source`, `{site}_adapter`, and `{site}_sum` and
        `{site}_activation` where the layer is not a small model of its own.

    Raises:
        ValueError: If the models do not have the same hidden layers, a site or option
            is unknown, a pattern matches nothing, an input differs between the models,
            or a model is not functional with dict inputs.

    Example:

    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> source = keras.Model(
    ...     inputs, keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    ... )
    >>> [layer.name for layer in ctnet(source).layers if layer.weights]
    ['deep_0', 'deep_0_adapter', 'click']
    """
    check_choice("adapter", adapter, tuple(ADAPTERS))
    check_choice("site", site, ("prev", "same"))
    check_choice("where", where, ("before_activation", "after_activation"))
    target = source if target is None else target
    inputs = inputs_like(source, target)
    chosen = paired_sites(source, target, sites)
    check_apart(source, target)
    tower = frozen_tower(source, inputs)
    shared = _shared_outputs(share_attention, tower, target)
    knowledge = tower.inputs if site == "prev" else tower.outputs

    def call(layer, *args, **kwargs):
        name = layer.name
        if name in shared:
            return shared[name]
        if name not in chosen:
            return layer(*args, **kwargs)
        term = GLUAdapter(
            target.get_layer(name).output.shape[-1],
            ADAPTERS[adapter],
            start,
            rank,
            name=name + ADAPTER,
            dtype=layer.dtype_policy,
        )(knowledge[name])
        if where == "before_activation":
            return add_before_activation(layer, term, *args, **kwargs)
        total = Sum(name=name + SUM, dtype=layer.dtype_policy)
        return total(layer(*args, **kwargs), term)

    model = rebuild(target, inputs, call)
    copy_weights(target, model)
    load_tower(source, model)
    return model


def _shared_outputs(
    patterns: bool | Sequence[str], tower: FrozenTower, target: keras.Model
) -> dict[str, Any]:
    """Returns `{layer of the target: output of the source's layer of its name}`."""
    if patterns is False:
        return {}
    patterns = ATTENTION if patterns is True else tuple(patterns)
    shared = {
        layer.name: tower.outputs[layer.name]
        for layer in target.layers
        if layer.name in tower.outputs and _fits(layer.name, patterns)
    }
    if not shared:
        names = [layer.name for layer in target.layers if _fits(layer.name, patterns)]
        raise ValueError(
            explain(
                f"a layer that matches one of {patterns}, called once in each model",
                f"the layers {names} of the target, none of them in the source",
                "pass share_attention=('name pattern', ...)",
            )
        )
    for name, output in shared.items():
        shape = target.get_layer(name).output.shape
        if output.shape != shape:
            raise ValueError(
                explain(
                    f"an output of one shape of '{name}' in both models",
                    f"source {output.shape}, target {shape}",
                    "share only layers of equal size",
                )
            )
    return shared


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
