"""A bias as a layer of its own."""

import keras

from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class Bias(Layer):
    """Adds a learned vector that is the same for every example, `x + b`.

    It starts at zero, so it changes nothing before it is trained.

    Args:
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Any tensor, `[..., N]`.

    Output shape:
        The shape of `x`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import Bias
    >>> Bias()(np.array([[1.0, 2.0]])).numpy()
    array([[1., 2.]], dtype=float32)
    """

    def build(self, input_shape: Shape) -> None:
        """Creates `b [N]`."""
        self.bias = self.add_weight(
            name="bias", shape=(input_shape[-1],), initializer="zeros"
        )

    def call(self, x: Tensor) -> Tensor:
        """Adds `b`."""
        return x + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of `x`."""
        return input_shape
