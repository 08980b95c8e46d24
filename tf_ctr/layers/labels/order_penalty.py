"""A loss for a later label that is likelier than the one before it."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class OrderPenalty(Layer):
    """Adds `weight * mean(max(later - earlier, 0))` to the loss; returns `later`.

    For labels of which the later needs the earlier, e.g. a buy needs a click.

    Source: the behavioural expectation calibrator of AITM (arXiv 2105.08489, section
    3.4).

    Args:
        weight: Weight of the loss.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        later: Probabilities of the later label, `[B, 1]`.
        earlier: Probabilities of the earlier label, `[B, 1]`.

    Output shape:
        The shape of `later`.

    Raises:
        ValueError: If the weight is negative.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import OrderPenalty
    >>> layer = OrderPenalty(weight=0.5)
    >>> later = layer(np.array([[0.6], [0.1]]), np.array([[0.5], [0.2]]))
    >>> round(float(layer.losses[0]), 3)  # 0.5 * (0.1 + 0) / 2
    0.025
    """

    def __init__(self, weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if weight < 0:
            raise ValueError(
                explain("a weight of at least 0", weight, "pass 0 for no loss")
            )
        self.weight = weight

    def call(self, later: Tensor, earlier: Tensor) -> Tensor:
        """Adds the loss, and returns `later`."""
        if self.weight:
            self.add_loss(self.weight * ops.mean(ops.relu(later - earlier)))
        return later

    def compute_output_shape(self, later_shape: Shape, earlier_shape: Shape) -> Shape:
        """Returns the shape of `later`."""
        return later_shape
