"""A cross layer that chooses its weights for each example, for inference."""

from typing import Any

import keras
import tensorflow as tf

from tf_ctr.layers.core.layer import Layer, Shape, Tensor
from tf_ctr.layers.interaction.checks import check_vectors
from tf_ctr.layers.routing.route import check_decision


@keras.saving.register_keras_serializable("tf_ctr")
class RoutedCross(Layer):
    """Computes two `CrossLayer`s and the `Route` behind them: `x0 * (x . w) + b + x`.

    The gates choose `w` and `b` for each example. Only the products `x . w`, one number
    each, are computed for both branches. This is cheaper than splitting the batch,
    which costs almost as much as a cross layer.

    Source: AutoFT (arXiv 2106.04873), section 3.2; the form is ours.

    Args:
        decision: Column of `gates` for this site.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        x0: Input of the cross network, `[B, N]`.
        x: Output of the previous cross layer, `[B, N]`.
        gates: Output of a `GumbelRouter`, `[B, M]`; 1 takes the frozen weights.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If `x0` and `x` do not have the same shape `[B, N]`, or `gates` has
            no column `decision`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import RoutedCross
    >>> cross = RoutedCross(decision=0)
    >>> x0 = x = np.ones((2, 2))
    >>> gates = np.array([[1.0], [0.0]])
    >>> cross.build(x0.shape, x.shape, gates.shape)
    >>> frozen, tuned = np.full((2, 1), 1.0), np.full((2, 1), 2.0)
    >>> cross.set_weights([frozen, tuned, np.zeros((2, 2))])
    >>> cross(x0, x, gates).numpy()  # 1 * 2 + 1 and 1 * 4 + 1
    array([[3., 3.],
           [5., 5.]], dtype=float32)
    """

    def __init__(self, decision: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decision = decision

    def build(self, x0_shape: Shape, x_shape: Shape, gates_shape: Shape) -> None:
        """Creates both `w [N, 1]`, and both `b` as `[2, N]`, the frozen one first."""
        check_vectors(x0_shape, x_shape)
        check_decision(self.decision, gates_shape)
        width = x0_shape[-1]
        self.frozen_kernel, self.tuned_kernel = (
            self.add_weight(name=name, shape=(width, 1), initializer="glorot_normal")
            for name in ("frozen_kernel", "tuned_kernel")
        )
        self.biases = self.add_weight(
            name="biases", shape=(2, width), initializer="zeros"
        )

    def call(self, x0: Tensor, x: Tensor, gates: Tensor) -> Tensor:
        """Crosses `x` with `x0`."""
        frozen = gates[:, self.decision] > 0.5
        # Two products: one product with both columns would add up in another order
        # than CrossLayer, and the scores would differ in the last bit.
        products = (tf.matmul(x, k) for k in (self.frozen_kernel, self.tuned_kernel))
        product = tf.where(frozen[:, tf.newaxis], *products)
        biases = tf.convert_to_tensor(self.biases)
        return x0 * product + tf.gather(biases, tf.where(frozen, 0, 1)) + x

    def compute_output_shape(
        self, x0_shape: Shape, x_shape: Shape, gates_shape: Shape
    ) -> Shape:
        """Returns the shape of `x0`."""
        return x0_shape
