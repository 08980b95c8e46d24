"""The networks of APG that turn conditions into parameters of a layer."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import keras
from keras import ops

from tf_ctr.layers.core.layer import Initializer, Shape, Tensor
from tf_ctr.layers.core.ops import fresh
from tf_ctr.layers.generated.condition_attention import add_attention, attention

if TYPE_CHECKING:
    from tf_ctr.layers.generated.apg_dense import APGDense

Parts: TypeAlias = Mapping[str, tuple[Shape, Initializer]]


class Generator:
    """An MLP with one output per generated parameter; a layer owns its weights.

    It is a plain object and not a layer, because the sub-layers of a frozen layer are
    trainable again after loading from a `.keras` file.

    Source: APG (arXiv 2203.16218), Eqs. 1, 3 and 5.

    Args:
        layer: The `APGDense` that owns the weights, which is being built.
        width: Width D of the condition.
        parts: `{name: (shape, initializer)}` of the parameters to generate, with the
            initializer that a static parameter in that place would have.
        suffix: Appended to the names of the weights.
    """

    def __init__(
        self, layer: APGDense, width: int, parts: Parts, suffix: str = ""
    ) -> None:
        affine = functools.partial(_affine, layer)
        self._hidden = []
        for i, units in enumerate(layer.generator_units):
            name = f"generator_{i}{suffix}"
            shape = (units,)
            self._hidden.append(affine(name, width, shape, "glorot_normal", "zeros"))
            width = units
        self._outputs = {}
        for name, (shape, static) in parts.items():
            kernel: Initializer = "glorot_normal"
            bias: Initializer = "zeros"
            if layer.generator_start == "identity":
                # For a condition of variance 1, parameters then deviate by 0.1.
                kernel = keras.initializers.VarianceScaling(0.01, "fan_in")
                bias = fresh(static)
            weights = affine(f"{name}{suffix}", width, shape, kernel, bias)
            self._outputs[name] = (shape, *weights)

    def __call__(self, z: Tensor) -> dict[str, Tensor]:
        """Generates `{name: [B, *shape]}` from the condition `[B, D]`."""
        for kernel, bias in self._hidden:
            z = ops.relu(ops.matmul(z, kernel) + bias)
        return {
            name: ops.reshape(ops.matmul(z, kernel), (-1, *shape)) + bias
            for name, (shape, kernel, bias) in self._outputs.items()
        }


class AggregatedGenerator:
    """One generator for each of J conditions, whose outputs are combined.

    Source: APG (arXiv 2203.16218), section 3.1.1, output aggregation.

    Args:
        layer: The `APGDense` that owns the weights, which is being built.
        conditions_shape: Shape `[B, J, D]` of the conditions.
        parts: See `Generator`. `"concat"` concatenates matrices along their columns,
            and takes the mean of vectors.
    """

    def __init__(self, layer: APGDense, conditions_shape: Shape, parts: Parts) -> None:
        _, num_conditions, width = conditions_shape
        self._aggregation = layer.aggregation
        self._generators = [
            Generator(layer, width, parts, f"_{j}") for j in range(num_conditions)
        ]
        if layer.aggregation == "attention":
            self._attention = add_attention(layer, width)

    def __call__(self, z: Tensor) -> dict[str, Tensor]:
        """Generates `{name: [B, *shape]}` from the conditions `[B, J, D]`."""
        generated = [g(z[:, j]) for j, g in enumerate(self._generators)]
        weights = self._weights(z)
        return {
            name: self._combine([parts[name] for parts in generated], weights)
            for name in generated[0]
        }

    def _weights(self, z):
        if self._aggregation == "attention":
            return ops.unstack(attention(z, *self._attention), axis=1)
        return [1 / len(self._generators)] * len(self._generators)

    def _combine(self, values, weights):
        is_matrix = len(values[0].shape) == 3
        if self._aggregation == "concat" and is_matrix:
            return ops.concatenate(values, axis=-1)
        if self._aggregation == "attention" and is_matrix:
            weights = [ops.expand_dims(weight, -1) for weight in weights]
        return sum(w * v for w, v in zip(weights, values, strict=True))


def _affine(layer, name, width, shape, kernel, bias):
    """Creates a kernel from `width` to a flattened `shape`, and a bias of `shape`."""
    return (
        layer.add_weight(
            name=f"{name}_kernel",
            shape=(width, math.prod(shape)),
            initializer=kernel,
            regularizer=layer.kernel_regularizer,
        ),
        layer.add_weight(name=f"{name}_bias", shape=shape, initializer=bias),
    )
