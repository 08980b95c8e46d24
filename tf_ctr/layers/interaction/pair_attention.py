"""Attention over the products of all pairs of fields (AFM)."""

import itertools
from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.interaction.checks import check_fields


@keras.saving.register_keras_serializable("tf_ctr")
class PairAttention(Layer):
    """Sums the products of all pairs of fields, weighted by attention.

    `y = sum_{i < j} a_ij p_ij` with `p_ij = x_i * x_j`, coordinate by coordinate, and
    `a = softmax of h . relu(p_ij W + b)` over the pairs.

    Source: AFM, Xiao et al. (arXiv 1708.04617), section 3.2.

    Args:
        units: Width of `W`.
        kernel_regularizer: Regularizer of `W` and `h`. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Field embeddings, `[B, F, D]`.

    Output shape:
        `[B, D]`.

    Raises:
        ValueError: If `units` is not positive, or there is no pair of fields.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import PairAttention
    >>> PairAttention(3)(np.array([[[1.0, 2.0], [3.0, 4.0]]])).numpy()  # One pair.
    array([[3., 8.]], dtype=float32)
    """

    def __init__(
        self,
        units: int = 32,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates `W [D, units]`, `b [units]` and `h [units, 1]`."""
        check_fields(input_shape, at_least=2)
        self.kernel, self.score_kernel = [
            self.add_weight(
                name=name,
                shape=shape,
                initializer="glorot_normal",
                regularizer=self.kernel_regularizer,
            )
            for name, shape in (
                ("kernel", (input_shape[-1], self.units)),
                ("score_kernel", (self.units, 1)),
            )
        ]
        self.bias = self.add_weight(
            name="bias", shape=(self.units,), initializer="zeros"
        )

    def call(self, x: Tensor) -> Tensor:
        """Multiplies all pairs, then sums them with the weights of the attention."""
        pairs = list(itertools.combinations(range(x.shape[1]), 2))
        first, second = (list(side) for side in zip(*pairs, strict=True))
        products = ops.take(x, first, axis=1) * ops.take(x, second, axis=1)
        if len(pairs) == 1:  # The softmax of one score is 1, of which Keras warns.
            return products[:, 0]
        hidden = ops.relu(ops.matmul(products, self.kernel) + self.bias)
        weights = ops.softmax(ops.matmul(hidden, self.score_kernel), axis=1)
        return ops.sum(weights * products, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns one vector per example."""
        return (input_shape[0], input_shape[2])
