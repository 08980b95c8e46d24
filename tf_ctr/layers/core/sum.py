"""A sum of two tensors that an activation may follow."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class Sum(Layer):
    """Adds two tensors of one shape, `x + y`; an activation may follow.

    `keras.layers.Add` gives the same numbers. But where one of its terms is a `Dense`,
    and a relu, relu6 or elu follows, TensorFlow 2.21 on a CPU fuses the three into an
    operation that has no name. It then gives up optimizing the whole function, and
    prints an error of six lines for each one that it compiles. Between an axis that is
    added and taken away again, at no cost, it does not find the three.

    Source: TensorFlow, `core/grappler/optimizers/remapper.cc`
    (`FindContractionWithBiasAndAddActivation`, meant for convolutions), and seen.

    Args:
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Any tensor, `[..., N]`.
        y: A tensor of the same shape.

    Output shape:
        The shape of `x`.

    Raises:
        ValueError: If the shapes differ.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import Sum
    >>> Sum()(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])).numpy()
    array([[4., 6.]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, x_shape: Shape, y_shape: Shape) -> None:
        """Checks the shapes; there are no weights."""
        if tuple(x_shape[1:]) != tuple(y_shape[1:]):
            raise ValueError(
                explain(
                    "two tensors of one shape",
                    f"{tuple(x_shape)} and {tuple(y_shape)}",
                    "project one to the width of the other",
                )
            )

    def call(self, x: Tensor, y: Tensor) -> Tensor:
        """Adds the two."""
        return ops.squeeze(ops.expand_dims(x, 0) + ops.expand_dims(y, 0), 0)

    def compute_output_shape(self, x_shape: Shape, y_shape: Shape) -> Shape:
        """Returns the shape of `x`."""
        return x_shape
