"""Attention of a candidate over a history."""

from typing import Any

import keras
from keras import ops

from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.history.histories import (
    check_candidate,
    check_heads,
    check_history,
    clear,
    masked_softmax,
)


@keras.saving.register_keras_serializable("tf_ctr")
class TargetAttention(Layer):
    """Lets a candidate attend to a history, with several heads.

    `head_h = softmax(q W_q (K W_k)^T / sqrt(d)) K W_v`, over the positions that are not
    padding; the output is `[head_1; ...; head_H] W_o`. An empty history gives zeros.

    Keys are not projected, because `(q W_q) (K W_k)^T = ((q W_q) W_k^T) K^T`, and
    values are projected after averaging. The result is the same, but a position costs
    `2 H D` products instead of `2 D units`.

    Source: CTNet (arXiv 2208.05728), section 3.1; 8 heads and 256 units are those of
    its section 4.2.

    Args:
        units: Width of all heads together, and of the output.
        num_heads: Number of heads H.
        kernel_regularizer: Regularizer of the four kernels. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        query: Vector of the candidate, `[B, N]`.
        rows: Vectors of the history, `[B, T, D]`.
        ids: Ids of the history, `[B, T]`; 0 is padding.

    Output shape:
        `[B, units]`.

    Raises:
        ValueError: If `num_heads` does not divide `units`, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import TargetAttention
    >>> attention = TargetAttention(units=4, num_heads=2)
    >>> attention(np.ones((1, 3)), np.ones((1, 5, 3)), np.zeros((1, 5))).numpy()
    array([[0., 0., 0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        units: int = 256,
        num_heads: int = 8,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_heads(units, num_heads)
        self.units = units
        self.num_heads = num_heads
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, query_shape: Shape, rows_shape: Shape, ids_shape: Shape) -> None:
        """Creates `W_q [N, units]`, `W_k`, `W_v [D, units]`, `W_o [units, units]`."""
        check_candidate(query_shape)
        check_history(rows_shape, ids_shape)
        widths = {
            "query": query_shape[-1],
            "key": rows_shape[-1],
            "value": rows_shape[-1],
            "output": self.units,
        }
        self._query, self._key, self._value, self._output = [
            self.add_weight(
                name=f"{name}_kernel",
                shape=(width, self.units),
                initializer="glorot_normal",
                regularizer=self.kernel_regularizer,
            )
            for name, width in widths.items()
        ]

    def call(self, query: Tensor, rows: Tensor, ids: Tensor) -> Tensor:
        """Attends to all positions that are not padding."""
        return self.attend(query, rows, ops.not_equal(ids, 0))

    def attend(self, query: Tensor, rows: Tensor, present: Tensor) -> Tensor:
        """Returns the output `[B, units]` for the positions where `present [B, T]`."""
        rows = clear(rows, present)
        query = ops.einsum("bn,nhd->bhd", query, self._heads(self._query))
        query = ops.einsum("bhd,khd->bhk", query, self._heads(self._key))
        scores = ops.einsum("bhk,btk->bht", query, rows)
        scores = scores / (self.units // self.num_heads) ** 0.5
        weights = masked_softmax(scores, ops.expand_dims(present, 1))
        mean = ops.einsum("bht,btk->bhk", weights, rows)
        values = ops.einsum("bhk,khd->bhd", mean, self._heads(self._value))
        return ops.matmul(ops.reshape(values, (-1, self.units)), self._output)

    def _heads(self, kernel):
        return ops.reshape(kernel, (-1, self.num_heads, self.units // self.num_heads))

    def compute_output_shape(self, query_shape: Shape, *other_shapes: Shape) -> Shape:
        """Returns one vector per example."""
        return (query_shape[0], self.units)
