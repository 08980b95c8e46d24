"""A loss that aligns the directions of two sets of vectors."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class Alignment(Layer):
    """Adds the mean cosine distance of pairs of vectors to the loss.

    The loss is `weight * mean(1 - cos(a, b))`. The layer returns `x` unchanged, so that
    it is on a path to the output of a functional model.

    Args:
        weight: Weight of the loss.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        x: Any tensor.
        a: Vectors, `[B, N]`.
        b: Vectors, `[B, N]`.

    Output shape:
        The shape of `x`.

    Raises:
        ValueError: If the weight is negative, or the shapes of `a` and `b` differ.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import Alignment
    >>> layer = Alignment(weight=0.5)
    >>> x = layer(np.zeros(1), np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]]))
    >>> float(layer.losses[0])
    0.5
    """

    def __init__(self, weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if weight < 0:
            raise ValueError(
                explain("a weight of at least 0", weight, "pass 0 for no loss")
            )
        self.weight = weight

    def build(self, x_shape: Shape, a_shape: Shape, b_shape: Shape) -> None:
        """Checks the shapes."""
        if len(a_shape) != 2 or tuple(a_shape) != tuple(b_shape):
            raise ValueError(
                explain(
                    "two sets of vectors of the same shape [B, N]",
                    f"{tuple(a_shape)} and {tuple(b_shape)}",
                    "map one set into the space of the other first",
                )
            )

    def call(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Adds the loss, and returns `x`."""
        # In float16 the squares of small vectors, such as initial rows, would be zero.
        a, b = (ops.normalize(ops.cast(each, "float32")) for each in (a, b))
        cosine = ops.sum(a * b, axis=-1)
        self.add_loss(self.weight * ops.mean(1 - cosine))
        return x

    def compute_output_shape(
        self, x_shape: Shape, a_shape: Shape, b_shape: Shape
    ) -> Shape:
        """Returns the shape of `x`."""
        return x_shape
