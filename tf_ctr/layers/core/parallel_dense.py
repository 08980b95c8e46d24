"""Several dense layers side by side."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import (
    Activation,
    Initializer,
    Layer,
    Regularizer,
    Shape,
    Tensor,
)
from tf_ctr.layers.core.ops import fresh


@keras.saving.register_keras_serializable("tf_ctr")
class ParallelDense(Layer):
    """Applies S dense layers of one size at once, `activation(x_s W_s + b_s)`.

    Args:
        units: Output width N.
        count: Number of layers S.
        activation: Activation of the output. Defaults to none.
        kernel_initializer: Initializer of each kernel; every layer gets its own draw.
        kernel_regularizer: Regularizer of the stacked kernels. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: One input for all layers, `[B, M]`, or one per layer, `[B, S, M]`.

    Output shape:
        `[B, S, N]`.

    Raises:
        ValueError: If a size is not positive, or `x` has another shape.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import ParallelDense
    >>> layer = ParallelDense(1, count=2, kernel_initializer="ones")
    >>> layer(np.array([[[1.0, 2.0], [10.0, 20.0]]])).numpy()
    array([[[ 3.],
            [30.]]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        count: int,
        activation: Activation | None = None,
        kernel_initializer: Initializer = "glorot_normal",
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units, count=count)
        self.units = units
        self.count = count
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x_shape: Shape) -> None:
        """Creates kernels `[S, M, N]` and biases `[S, N]`."""
        if len(x_shape) != 2 and (len(x_shape) != 3 or x_shape[1] != self.count):
            raise ValueError(
                explain(
                    f"an input [B, M] or [B, {self.count}, M]",
                    tuple(x_shape),
                    "stack one input per layer on axis 1",
                )
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.count, x_shape[-1], self.units),
            initializer=_each(self.kernel_initializer),
            regularizer=self.kernel_regularizer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.count, self.units), initializer="zeros"
        )

    def call(self, x: Tensor) -> Tensor:
        """Applies each layer to its input."""
        equation = "bm,smn->bsn" if len(x.shape) == 2 else "bsm,smn->bsn"
        return self.activation(ops.einsum(equation, x, self.kernel) + self.bias)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """Returns `[B, S, N]`."""
        return (x_shape[0], self.count, self.units)


def _each(initializer):
    """Returns an initializer of `[S, M, N]` that draws each kernel separately."""

    def initialize(shape, dtype=None):
        # For the whole stack, Keras would compute fans that are S times too large.
        count, *kernel = shape
        return ops.stack(
            [fresh(initializer)(kernel, dtype=dtype) for _ in range(count)]
        )

    return initialize
