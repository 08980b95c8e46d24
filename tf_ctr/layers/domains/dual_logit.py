"""Mixes two logits, and trains both with the same mix of their losses."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class DualLogit(Layer):
    """Mixes two logits, `z = (1 - a) z_1 + a z_2`, and completes the loss.

    The cross entropy `L(y, z) = softplus(z) - y z` is linear in `z` except for the
    softplus. So the mix of the two networks' losses is

    `(1 - a) L(y, z_1) + a L(y, z_2)
    = L(y, z) + (1 - a) softplus(z_1) + a softplus(z_2) - softplus(z)`.

    The last three terms need no label, so the layer adds their mean as a loss. A model
    that ends in `sigmoid(z)` and is compiled with `"binary_crossentropy"` then has
    exactly the mixed loss, and both networks get its gradient. Sample weights do not
    apply to losses that a layer adds.

    Source: Li and Tuzhilin, DDTCDR (arXiv 1910.05189), its dual loss, with cross
    entropies instead of squared errors; the identity is ours. The authors' code
    detaches the second loss, so that its network gets no gradient.

    Args:
        alpha: Weight of the second logit. The authors' code has 0.03.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        first: `z_1`, `[B, 1]`.
        second: `z_2`, `[B, 1]`.

    Output shape:
        `[B, 1]`.

    Raises:
        ValueError: If `alpha` is not between 0 and 1, or the shapes differ.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import DualLogit
    >>> DualLogit(alpha=0.25)(np.array([[4.0]]), np.array([[0.0]])).numpy()
    array([[3.]], dtype=float32)
    """

    def __init__(self, alpha: float = 0.03, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= alpha <= 1:
            raise ValueError(explain("an alpha from 0 to 1", alpha, "pass alpha=0.03"))
        self.alpha = alpha

    def build(self, first_shape: Shape, second_shape: Shape) -> None:
        """Checks the shapes."""
        if tuple(first_shape) != tuple(second_shape):
            raise ValueError(
                explain(
                    "two logits of the same shape",
                    f"{tuple(first_shape)} and {tuple(second_shape)}",
                    "end both networks with Dense(1)",
                )
            )

    def call(self, first: Tensor, second: Tensor) -> Tensor:
        """Mixes the logits."""
        mixed = self._mix(first, second)
        softplus = self._mix(ops.softplus(first), ops.softplus(second))
        self.add_loss(ops.mean(softplus - ops.softplus(mixed)))
        return mixed

    def _mix(self, first, second):
        return (1 - self.alpha) * first + self.alpha * second

    def compute_output_shape(self, first_shape: Shape, second_shape: Shape) -> Shape:
        """Returns the shape of a logit."""
        return first_shape
