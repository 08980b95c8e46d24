"""PTU: transfer units mix the activations of a frozen and a trainable network."""

from collections.abc import Sequence
from typing import Literal

import keras

from tf_ctr.layers import TransferUnit
from tf_ctr.surgery import copy_weights, inputs_like, rebuild
from tf_ctr.surgery.names import SOURCE, TRANSFER
from tf_ctr.surgery.towers import check_apart, frozen_tower, load_tower, paired_sites
from tf_ctr.transfer.method import Method


@Method("PTU", frozen=(SOURCE,), starts_as_source=True)
def ptu(
    source: keras.Model,
    gated: bool = True,
    activation: str | None = "linear",
    start: Literal["exact", "random"] = "exact",
    sites: str | Sequence[str] | None = None,
) -> keras.Model:
    """Returns a target network whose hidden layers are mixed with those of the source.

    After each hidden layer a transfer unit sums the activations of the frozen
    source network and of the trainable target network; the sum feeds the next layer
    of the target. Both networks start from the source, so that with the exact start
    the scores before training are those of the source.

    Source: the PTU baseline of AutoFT (arXiv 2106.04873), section 4; the form is
    that of `tf_ctr.layers.TransferUnit`.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        gated: Whether the units have gates; see `tf_ctr.layers.TransferUnit`.
        activation: Activation of the units.
        start: `"exact"`, so that two equal activations give the same one, or
            `"random"`.
        sites: Names of the layers with a unit. Defaults to all layers named `deep...`
            or `cross...`, or to all hidden layers without such names.

    Returns:
        A new, uncompiled `keras.Model` with the layer names of `source`. Added
        layers: `{layer}_source`, `{site}_transfer`.

    Raises:
        ValueError: If a site is unknown, no site is left, or `source` is not a
            functional model with dict inputs.

    Example:

    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> source = keras.Model(
    ...     inputs, keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    ... )
    >>> [layer.name for layer in ptu(source).layers]
    ['age', 'deep_0_source', 'deep_0', 'deep_0_transfer', 'click']
    """
    inputs = inputs_like(source)
    chosen = paired_sites(source, source, sites, prefixes=("deep", "cross"))
    check_apart(source, source)
    tower = frozen_tower(source, inputs)

    def call(layer, *args, **kwargs):
        output = layer(*args, **kwargs)
        if layer.name not in chosen:
            return output
        unit = TransferUnit(
            gated,
            activation,
            start,
            name=layer.name + TRANSFER,
            dtype=layer.dtype_policy,
        )
        return unit(tower.outputs[layer.name], output)

    model = rebuild(source, inputs, call)
    copy_weights(source, model)
    load_tower(source, model)
    return model
