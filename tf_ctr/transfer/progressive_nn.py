"""ProgressiveNN: a frozen column with lateral links to a trainable one."""

from collections.abc import Sequence
from typing import Literal

import keras

from tf_ctr.layers import LateralAdapter
from tf_ctr.surgery import copy_weights, inputs_like, rebuild
from tf_ctr.surgery.joining import add_before_activation
from tf_ctr.surgery.names import LATERAL, SOURCE
from tf_ctr.surgery.towers import check_apart, frozen_tower, load_tower, paired_sites
from tf_ctr.transfer.method import Method


@Method("ProgressiveNN", frozen=(SOURCE,), starts_as_source=True)
def progressive_nn(
    source: keras.Model,
    rank: int | None = None,
    activation: str | None = "relu",
    scale: float = 0.1,
    start: Literal["exact", "small"] = "exact",
    fresh: bool = False,
    sites: str | Sequence[str] | None = None,
) -> keras.Model:
    """Returns a target column that sees every layer of a frozen source column.

    `h_l = f(h_{l-1} W_l + b_l + g((s_l h^S_{l-1}) V_l) U_l)`. A cross layer gets the
    lateral term added to its output.

    Source: the ProgressiveNN baseline of AutoFT (arXiv 2106.04873), section 4;
    Rusu et al. (arXiv 1606.04671), Eq. 2. There the target column starts at random;
    AutoFT does not say. Here it starts from the source, like the fine-tuned model that
    it is compared with.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        rank: Rank of the lateral links; see `tf_ctr.layers.LateralAdapter`.
        activation: Activation `g` of the links.
        scale: Initial value of the factors `s_l`.
        start: `"exact"`, the links start at zero, or `"small"`.
        fresh: Whether to start the target column at random, as in the paper of Rusu et
            al.; the scores at the start are then not those of the source.
        sites: Names of the layers with a link. Defaults to all layers named `deep...`
            or `cross...`, or to all hidden layers without such names.

    Returns:
        A new, uncompiled `keras.Model` with the layer names of `source`. Added
        layers: `{layer}_source`, `{site}_lateral`, and `{site}_sum` and
        `{site}_activation` where the layer is not a small model of its own.

    Raises:
        ValueError: If a site is unknown, no site is left, or `source` is not a
            functional model with dict inputs.

    Example:

    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> source = keras.Model(
    ...     inputs, keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    ... )
    >>> [layer.name for layer in progressive_nn(source).layers if layer.weights]
    ['deep_0', 'deep_0_lateral', 'click']
    """
    inputs = inputs_like(source)
    chosen = paired_sites(source, source, sites, prefixes=("deep", "cross"))
    check_apart(source, source)
    tower = frozen_tower(source, inputs)

    def call(layer, *args, **kwargs):
        if layer.name not in chosen:
            return layer(*args, **kwargs)
        link = LateralAdapter(
            source.get_layer(layer.name).output.shape[-1],
            rank,
            activation,
            scale,
            start,
            name=layer.name + LATERAL,
            dtype=layer.dtype_policy,
        )
        term = link(tower.inputs[layer.name])
        return add_before_activation(layer, term, *args, **kwargs)

    model = rebuild(source, inputs, call)
    if not fresh:
        copy_weights(source, model)
    load_tower(source, model)
    return model
