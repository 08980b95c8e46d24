"""A loss that draws two sets of vectors to one direction."""

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer


@keras.saving.register_keras_serializable("tf_ctr")
class Alignment(Layer):
    """Adds the mean cosine distance of pairs of vectors to the loss.

    `weight * mean(1 - cos(a, b))`. What it returns is `x`, unchanged, so that it has a
    place in a functional model.

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

    def __init__(self, weight=1.0, **kwargs):
        super().__init__(**kwargs)
        if weight < 0:
            raise ValueError(explain("weight >= 0", weight, "pass 0 for none"))
        self.weight = weight

    def build(self, x_shape, a_shape, b_shape):
        """Checks the shapes."""
        if len(a_shape) != 2 or tuple(a_shape) != tuple(b_shape):
            raise ValueError(
                explain(
                    "two sets of vectors of one shape [B, N]",
                    f"{tuple(a_shape)} and {tuple(b_shape)}",
                    "map one into the space of the other first",
                )
            )

    def call(self, x, a, b):
        """Adds the loss."""
        # In float16 the squares of small vectors, as rows start, would be zero.
        a, b = (ops.normalize(ops.cast(each, "float32")) for each in (a, b))
        cosine = ops.sum(a * b, axis=-1)
        self.add_loss(self.weight * ops.mean(1 - cosine))
        return x

    def compute_output_shape(self, x_shape, a_shape, b_shape):
        """Returns the shape of `x`."""
        return x_shape
