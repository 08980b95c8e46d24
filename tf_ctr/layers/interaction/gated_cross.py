"""A cross layer with a gate on every product (GDCN)."""

from typing import Any

import keras
from keras import ops

from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.interaction.checks import check_vectors


@keras.saving.register_keras_serializable("tf_ctr")
class GatedCross(Layer):
    """Computes one gated feature cross, `x0 * (x W + b) * sigmoid(x G) + x`.

    Source: GDCN, Wang et al. (arXiv 2311.04635), section 3.

    Args:
        kernel_regularizer: Regularizer of `W` and `G`. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x0: Input of the cross network, `[B, N]`.
        x: Output of the previous cross layer, `[B, N]`; `x0` for the first one.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If `x0` and `x` do not have the same shape `[B, N]`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import GatedCross
    >>> GatedCross()(np.ones((2, 3)), np.ones((2, 3))).shape
    TensorShape([2, 3])
    """

    def __init__(
        self, kernel_regularizer: Regularizer | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x0_shape: Shape, x_shape: Shape) -> None:
        """Creates `W [N, N]`, `G [N, N]` and `b [N]`."""
        check_vectors(x0_shape, x_shape)
        width = x0_shape[-1]
        self.kernel, self.gate_kernel = [
            self.add_weight(
                name=name,
                shape=(width, width),
                initializer="glorot_normal",
                regularizer=self.kernel_regularizer,
            )
            for name in ("kernel", "gate_kernel")
        ]
        self.bias = self.add_weight(name="bias", shape=(width,), initializer="zeros")

    def call(self, x0: Tensor, x: Tensor) -> Tensor:
        """Crosses `x` with `x0`, as far as the gate lets it."""
        gate = ops.sigmoid(ops.matmul(x, self.gate_kernel))
        return x0 * (ops.matmul(x, self.kernel) + self.bias) * gate + x

    def compute_output_shape(self, x0_shape: Shape, x_shape: Shape) -> Shape:
        """Returns the shape of `x0`."""
        return x0_shape
