"""The lateral adapter of a progressive network."""

from typing import Any

import keras
from keras import ops

from tf_ctr.layers.adapters.glu_adapter import Start, check_adapter, start_initializer
from tf_ctr.layers.core.layer import Activation, Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class LateralAdapter(Layer):
    """Applies one hidden layer to a scaled activation, `f((s a) V) U`.

    Source: Rusu et al., Progressive Neural Networks (arXiv 1606.04671), Eq. 2, which
    has no biases; the exact start is ours.

    Args:
        units: Output width N.
        rank: Width K of the hidden layer. Defaults to N, so that the adapter is about
            as large as the target layer, as in the paper.
        activation: Activation `f` of the hidden layer.
        scale: Initial value of the learned scalar `s`; the paper draws a small one.
        start: `"exact"` starts with `U = 0`, so the output is exactly 0 until it is
            trained; `"small"` draws `U` from N(0, 1e-3^2).
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        a: Activation of the source, `[B, ..., M]`.

    Output shape:
        `[B, ..., N]`.

    Raises:
        ValueError: If a size is not positive, or `start` is unknown.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import LateralAdapter
    >>> LateralAdapter(2)(np.array([[1.0, 2.0, 3.0]])).numpy()
    array([[0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        rank: int | None = None,
        activation: Activation = "relu",
        scale: float = 0.1,
        start: Start = "exact",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_adapter(units, start, rank)
        self.units = units
        self.rank = rank
        self.activation = keras.activations.get(activation)
        self.scale = scale
        self.start = start
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Creates `s`, `V [M, K]` and `U [K, N]`."""
        rank = self.rank or self.units
        self._scale = self.add_weight(
            name="scale",
            shape=(),
            initializer=keras.initializers.Constant(self.scale),
        )
        self._down = self.add_weight(name="down_kernel", shape=(input_shape[-1], rank))
        self._up = self.add_weight(
            name="up_kernel",
            shape=(rank, self.units),
            initializer=start_initializer(self.start),
        )

    def call(self, a: Tensor) -> Tensor:
        """Maps `a` to the width of the target layer."""
        hidden = self.activation(ops.matmul(self._scale * a, self._down))
        return ops.matmul(hidden, self._up)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Replaces M with N."""
        return (*input_shape[:-1], self.units)
