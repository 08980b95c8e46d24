"""The frozen source tower beside a trainable one, and the depths that they share."""

import dataclasses
import inspect

import keras

from tf_ctr.errors import explain
from tf_ctr.surgery.graph import Graph
from tf_ctr.surgery.names import SOURCE
from tf_ctr.surgery.rebuild import copy_weights, rebuild

# What each layer of noise has of it.
NOISE = {
    keras.layers.Dropout: "rate",
    keras.layers.AlphaDropout: "rate",
    keras.layers.GaussianDropout: "rate",
    keras.layers.GaussianNoise: "stddev",
}


@dataclasses.dataclass(frozen=True)
class FrozenTower:
    """A frozen copy of a model, with what flows through it.

    Attributes:
        model: The copy, a `keras.Model` without the weights of the original yet.
        inputs: `{site: what the depth before gave}` of every depth site.
        outputs: `{layer: its output}` of every layer that is called once.
    """

    model: keras.Model
    inputs: dict
    outputs: dict


def frozen_tower(source, inputs, suffix=SOURCE):
    """Runs a frozen copy of a model on the inputs of another.

    The tower is in inference mode also while the model around it is trained: its
    BatchNorm normalises with the moving statistics, AutoFT's routers do not sample,
    and there is neither dropout nor noise. It gets the weights by `load_tower` on the
    model around it.

    Args:
        source: A functional model, fresh or reloaded; it is not changed.
        inputs: `{name: keras.Input}`, at least those of `source`.
        suffix: Appended to the name of every layer.

    Returns:
        A `FrozenTower`, its sites and layers named as in `source`.

    Raises:
        ValueError: If `source` is not functional, or an input is missing.
    """
    sites = Graph(source).depths
    entered, left = {}, {}

    def call(layer, *args, **kwargs):
        name = layer.name.removesuffix(suffix)
        if not isinstance(layer, keras.Layer):
            layer = _renamed(layer, suffix)
        elif name in sites:
            entered[name] = _hidden_input(layer, *args, **kwargs)
        silence(layer)
        output = layer(*args, **kwargs)
        left.setdefault(name, []).append(output)
        return output

    model = rebuild(source, inputs, call, suffix, trainable=False)
    outputs = {name: calls[0] for name, calls in left.items() if len(calls) == 1}
    return FrozenTower(model, entered, outputs)


def load_tower(source, model, suffix=SOURCE):
    """Copies the weights of `source` to its tower in `model`, in place.

    A tower of inputs alone, with no weights that the model uses, is left as it is.
    """
    if any(la.weights and la.name.endswith(suffix) for la in model.layers):
        copy_weights(source, model, suffix)


def _renamed(operation, suffix):
    """Copies a bare operation: one in both towers would join their graphs."""
    copy = type(operation).from_config(operation.get_config())
    copy.name = operation.name + suffix
    return copy


def silence(layer):
    """Takes dropout and noise from a frozen layer, in place.

    Args:
        layer: A layer, or a model of one depth of a tower.
    """
    parts = layer.layers if isinstance(layer, keras.Model) else [layer]
    for part in parts:
        for kind, amount in NOISE.items():
            if isinstance(part, kind):
                setattr(part, amount, 0.0)


def _hidden_input(layer, *args, **kwargs):
    """The argument called `x`, as in a cross layer, or else the first."""
    arguments = inspect.signature(layer.call).bind(*args, **kwargs).arguments
    first, *_ = arguments.values()
    hidden = arguments.get("x", first)
    return hidden[0] if isinstance(hidden, list | tuple) else hidden


def paired_sites(source, target, sites=None, prefixes=("deep",)):
    """Returns the depths where two towers are joined, in the order of the target.

    Args:
        source: A functional model.
        target: A functional model.
        sites: Names of layers. Defaults to the hidden layers whose names start with
            one of `prefixes`; to all hidden layers, if there is none.
        prefixes: Starts of layer names.

    Returns:
        List of names of depth sites that both models have.

    Raises:
        ValueError: If one of the models lacks a site, there is none, or one has
            several outputs.
    """
    theirs, ours = Graph(source).depths, Graph(target).depths
    every = list(dict.fromkeys([*ours, *theirs]))
    if sites is None:
        sites = [name for name in every if name.startswith(prefixes)] or every
    sites = [sites] if isinstance(sites, str) else list(sites)
    if not sites or not set(sites) <= set(theirs) & set(ours):
        raise ValueError(
            explain(
                f"one or more hidden layers, in both models; chosen are {sites}",
                f"hidden layers {theirs} of the source, {ours} of the target",
                "give the layers of both models the same names, or choose with "
                "sites=('deep_0', ...)",
            )
        )
    several = [name for name in sites if _has_several_outputs(target, name)]
    if several:
        raise ValueError(
            explain(
                "hidden layers of one output",
                f"{several}, which have several",
                f"choose others of {ours} with sites=(...)",
            )
        )
    return [name for name in ours if name in sites]


def _has_several_outputs(model, name):
    return not isinstance(model.get_layer(name).output, keras.KerasTensor)


def check_apart(source, target, suffix=SOURCE):
    """Raises if a layer of the tower would be called as one of the target."""
    ours = {layer.name for layer in target.layers}
    clash = sorted({layer.name + suffix for layer in source.layers} & ours)
    if clash:
        raise ValueError(
            explain(
                f"a target without layers of another source tower ('...{suffix}')",
                f"{clash[:3]} in '{target.name}'",
                "start from the model that had one tower; to refresh a tower, use "
                f"copy_weights(new_source, model, suffix='{suffix}')",
            )
        )
