"""A gate that scales each coordinate by a condition (PEPNet)."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class PersonalGate(Layer):
    """Multiplies each coordinate by a number from 0 to 2 that a condition determines.

    `y = x * 2 sigmoid(relu(c W + b) V + v)`. It starts near `y = x`.

    Source: PEPNet, Chang et al. (arXiv 2302.01115), section 2.2: the Gate Neural Unit
    with a scale of 2.

    Args:
        units: Width of `W`. Defaults to the width of `x`.
        kernel_regularizer: Regularizer of `W` and `V`. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: `[B, N]`.
        condition: `[B, C]`.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If `units` is not positive.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import PersonalGate
    >>> PersonalGate()(np.ones((2, 3)), np.zeros((2, 4))).numpy()[0]
    array([1., 1., 1.], dtype=float32)
    """

    def __init__(
        self,
        units: int | None = None,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if units is not None:
            check_positive(units=units)
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x_shape: Shape, condition_shape: Shape) -> None:
        """Creates `W`, `b`, `V` and `v`."""
        width = x_shape[-1]
        hidden = self.units or width
        self._first = self._dense("hidden", condition_shape[-1], hidden)
        self._second = self._dense("gate", hidden, width)

    def _dense(self, name, inputs, outputs):
        kernel = self.add_weight(
            name=f"{name}_kernel",
            shape=(inputs, outputs),
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )
        return kernel, self.add_weight((outputs,), "zeros", name=f"{name}_bias")

    def call(self, x: Tensor, condition: Tensor) -> Tensor:
        """Scales `x`."""
        (w_kernel, w_bias), (v_kernel, v_bias) = self._first, self._second
        hidden = ops.relu(ops.matmul(condition, w_kernel) + w_bias)
        return x * 2.0 * ops.sigmoid(ops.matmul(hidden, v_kernel) + v_bias)

    def compute_output_shape(self, x_shape: Shape, condition_shape: Shape) -> Shape:
        """Returns the shape of `x`."""
        return x_shape
