"""The activation unit of the Deep Interest Network."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_ctr.layers.core.layer import Activation, Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.history.histories import (
    check_candidate,
    check_history,
    clear,
    masked_softmax,
)


@keras.saving.register_keras_serializable("tf_ctr")
class DINAttention(Layer):
    """Sums a history with weights that depend on the candidate, `u = sum_j a_j e_j`.

    `a_j = MLP([e_j; e_v; e_j - e_v; e_j * e_v])` for the candidate `e_v`. The weights
    do not sum to 1: it matters how many behaviours resemble the candidate.
    An empty history gives zeros.

    Source: DIN, Zhou et al. (arXiv 1706.06978), section 4.3, Eq. 3. The elementwise
    product (the paper has the outer product) and the sizes of the MLP are those of
    its public code.

    Args:
        hidden_units: Widths of the hidden layers of the MLP.
        activation: Activation of the hidden layers.
        softmax: Whether to normalise the weights. The paper does not.
        kernel_regularizer: Regularizer of the kernels. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        query: Vector of the candidate, `[B, D]`.
        rows: Vectors of the history, `[B, T, D]`.
        ids: Ids of the history, `[B, T]`; 0 is padding.

    Output shape:
        `[B, D]`.

    Raises:
        ValueError: If `rows` and `ids`, or `rows` and `query`, do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import DINAttention
    >>> DINAttention()(np.ones((2, 6)), np.ones((2, 9, 6)), np.ones((2, 9))).shape
    TensorShape([2, 6])
    """

    def __init__(
        self,
        hidden_units: Sequence[int] = (80, 40),
        activation: Activation = "sigmoid",
        softmax: bool = False,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hidden_units = tuple(hidden_units)
        self.activation = keras.activations.get(activation)
        self.softmax = softmax
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, query_shape: Shape, rows_shape: Shape, ids_shape: Shape) -> None:
        """Creates the kernels and biases of the MLP."""
        check_history(rows_shape, ids_shape)
        check_candidate(query_shape, rows_shape)
        widths = (4 * rows_shape[-1], *self.hidden_units, 1)
        self._mlp = []
        for i, shape in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            kernel = self.add_weight(
                name=f"kernel_{i}",
                shape=shape,
                initializer="glorot_normal",
                regularizer=self.kernel_regularizer,
            )
            self._mlp.append((kernel, self._bias(i, shape[1])))

    def _bias(self, i, width):
        if self.softmax and i == len(self.hidden_units):
            return 0.0  # A bias added to all scores does not change the softmax.
        return self.add_weight((width,), "zeros", name=f"bias_{i}")

    def call(self, query: Tensor, rows: Tensor, ids: Tensor) -> Tensor:
        """Weights each behaviour by the candidate, then sums."""
        present = ops.not_equal(ids, 0)
        rows = clear(rows, present)
        weights = self._weights(ops.expand_dims(query, 1), rows)
        if self.softmax:
            weights = masked_softmax(weights, present)
        return ops.einsum("bt,btd->bd", weights, rows)

    def _weights(self, query, rows):
        query = ops.broadcast_to(query, ops.shape(rows))
        x = ops.concatenate([rows, query, rows - query, rows * query], axis=2)
        for i, (kernel, bias) in enumerate(self._mlp):
            x = ops.matmul(self.activation(x) if i else x, kernel) + bias
        return ops.squeeze(x, 2)

    def compute_output_shape(
        self, query_shape: Shape, rows_shape: Shape, ids_shape: Shape
    ) -> Shape:
        """Returns the shape of the candidate."""
        return query_shape
