"""The mix of two networks' logits whose training loss is the mix of their losses."""

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer


@keras.saving.register_keras_serializable("tf_ctr")
class DualLogit(Layer):
    """Mixes two logits, `z = (1 - a) z_1 + a z_2`, and completes the loss.

    With the cross entropy `L(y, z) = softplus(z) - y z`, linear in `z` but for the
    softplus, the two networks' losses mix to

    `(1 - a) L(y, z_1) + a L(y, z_2)
    = L(y, z) + (1 - a) softplus(z_1) + a softplus(z_2) - softplus(z)`.

    The layer adds the mean of the last three terms, which need no label, as a loss:
    a model that ends in `sigmoid(z)`, compiled with `"binary_crossentropy"`, has
    exactly the mixed loss, and both networks get its gradient. Sample weights do not
    reach what a layer adds.

    Source: Li and Tuzhilin, DDTCDR (arXiv 1910.05189), its dual loss, with cross
    entropies for squared errors; the identity is ours. The authors' code detaches
    the second loss, which leaves that network without a gradient.

    Args:
        alpha: Weight of the second logit. Defaults to 0.03, that of the authors' code.
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

    def __init__(self, alpha=0.03, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= alpha <= 1:
            raise ValueError(explain("alpha from 0 to 1", alpha, "pass alpha=0.03"))
        self.alpha = alpha

    def build(self, first_shape, second_shape):
        """Checks the shapes."""
        if tuple(first_shape) != tuple(second_shape):
            raise ValueError(
                explain(
                    "two logits of one shape",
                    f"{tuple(first_shape)} and {tuple(second_shape)}",
                    "end both networks with Dense(1)",
                )
            )

    def call(self, first, second):
        """Mixes the logits."""
        mixed = self._mix(first, second)
        softplus = self._mix(ops.softplus(first), ops.softplus(second))
        self.add_loss(ops.mean(softplus - ops.softplus(mixed)))
        return mixed

    def _mix(self, first, second):
        return (1 - self.alpha) * first + self.alpha * second

    def compute_output_shape(self, first_shape, second_shape):
        """Returns the shape of a logit."""
        return first_shape
