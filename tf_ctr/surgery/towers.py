"""Builds a frozen source tower beside a trainable one, and pairs their depths."""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tf_ctr.errors import explain
from tf_ctr.surgery.graph import Graph
from tf_ctr.surgery.names import SOURCE
from tf_ctr.surgery.rebuild import rebuild
from tf_ctr.surgery.weights import copy_weights

# The argument for the amount of noise.
NOISE = {
    keras.layers.Dropout: "rate",
    keras.layers.AlphaDropout: "rate",
    keras.layers.GaussianDropout: "rate",
    keras.layers.GaussianNoise: "stddev",
}


@dataclasses.dataclass(frozen=True)
class FrozenTower:
    """A frozen copy of a model, with the tensors that flow through it.

    Attributes:
        model: The copy, a `keras.Model` that does not have the original weights yet.
        inputs: `{depth: its input}` for every depth.
        outputs: `{layer: its output}` for every layer that is called once.
    """

    model: keras.Model
    inputs: dict[str, keras.KerasTensor]
    outputs: dict[str, Any]


def frozen_tower(
    source: keras.Model,
    inputs: Mapping[str, keras.KerasTensor],
    suffix: str = SOURCE,
) -> FrozenTower:
    """Runs a frozen copy of a model on the inputs of another.

    The tower stays in inference mode even while the model around it is trained: its
    BatchNorm normalises with the moving statistics, AutoFT's routers do not sample, and
    dropout and noise are off. Call `load_tower` with the model around it to copy the
    weights.

    Args:
        source: A functional model, fresh or reloaded; it is not changed.
        inputs: `{name: keras.Input}`, at least those of `source`.
        suffix: Appended to the name of every layer.

    Returns:
        The tower, its depths and layers named as in `source`.

    Raises:
        ValueError: If `source` is not functional, or an input is missing.
    """
    depths = Graph(source).depths
    entered: dict[str, keras.KerasTensor] = {}
    left: dict[str, list[Any]] = {}

    def call(layer, *args, **kwargs):
        name = layer.name.removesuffix(suffix)
        if not isinstance(layer, keras.Layer):
            layer = _renamed(layer, suffix)
        elif name in depths:
            entered[name] = _hidden_input(layer, *args, **kwargs)
        silence(layer)
        output = layer(*args, **kwargs)
        left.setdefault(name, []).append(output)
        return output

    model = rebuild(source, inputs, call, suffix, trainable=False)
    outputs = {name: calls[0] for name, calls in left.items() if len(calls) == 1}
    return FrozenTower(model, entered, outputs)


def load_tower(source: keras.Model, model: keras.Model, suffix: str = SOURCE) -> None:
    """Copies the weights of `source` to its tower in `model`, in place.

    If the model uses no layer with weights of the tower, nothing is copied.
    """
    if any(each.weights and each.name.endswith(suffix) for each in model.layers):
        copy_weights(source, model, suffix)


def _renamed(operation: keras.Operation, suffix: str) -> keras.Operation:
    """Copies a bare operation, because a shared one would join the towers' graphs."""
    copy = type(operation).from_config(operation.get_config())
    copy.name = operation.name + suffix
    return copy


def silence(layer: keras.Layer) -> None:
    """Removes dropout and noise from a frozen layer, in place.

    Args:
        layer: A layer, or a model of one depth of a tower.
    """
    parts = layer.layers if isinstance(layer, keras.Model) else [layer]
    for part in parts:
        for kind, amount in NOISE.items():
            if isinstance(part, kind):
                setattr(part, amount, 0.0)


def _hidden_input(layer: keras.Layer, *args: Any, **kwargs: Any) -> keras.KerasTensor:
    """Returns the argument `x`, as a cross layer has it, otherwise the first one."""
    arguments = inspect.signature(layer.call).bind(*args, **kwargs).arguments
    first, *_ = arguments.values()
    hidden = arguments.get("x", first)
    return hidden[0] if isinstance(hidden, list | tuple) else hidden


def paired_sites(
    source: keras.Model,
    target: keras.Model,
    sites: str | Sequence[str] | None = None,
    prefixes: tuple[str, ...] = ("deep",),
) -> list[str]:
    """Returns the depths where two towers are joined, in the order of the target.

    Args:
        source: A functional model.
        target: A functional model.
        sites: Names of layers. Defaults to the hidden layers whose names start with one
            of `prefixes`, or to all hidden layers if no name does.
        prefixes: Starts of layer names.

    Returns:
        Names of depths that both models have.

    Raises:
        ValueError: If a model lacks a site, there is no site, or a site has several
            outputs.
    """
    theirs, ours = Graph(source).depths, Graph(target).depths
    every = list(dict.fromkeys([*ours, *theirs]))
    if sites is None:
        sites = [name for name in every if name.startswith(prefixes)] or every
    sites = [sites] if isinstance(sites, str) else list(sites)
    if not sites or not set(sites) <= set(theirs) & set(ours):
        raise ValueError(
            explain(
                f"one or more hidden layers that both models have, as sites={sites}",
                f"hidden layers {theirs} of the source, {ours} of the target",
                "give the layers of both models the same names, or choose with "
                "sites=('deep_0', ...)",
            )
        )
    several = [
        name
        for name in sites
        if not isinstance(target.get_layer(name).output, keras.KerasTensor)
    ]
    if several:
        raise ValueError(
            explain(
                "hidden layers of one output",
                f"{several}, which have several",
                f"choose others of {ours} with sites=(...)",
            )
        )
    return [name for name in ours if name in sites]


def check_apart(source: keras.Model, target: keras.Model, suffix: str = SOURCE) -> None:
    """Raises if a layer of the tower would have the name of a layer of the target."""
    ours = {layer.name for layer in target.layers}
    clash = sorted({layer.name + suffix for layer in source.layers} & ours)
    if clash:
        raise ValueError(
            explain(
                f"a target without layers of another source tower ('...{suffix}')",
                f"{clash[:3]} in '{target.name}'",
                "start from the model before it got a tower; to refresh a tower, use "
                f"copy_weights(new_source, model, suffix='{suffix}')",
            )
        )
