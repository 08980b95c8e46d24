"""The item-level attention of NATR: a query attends to a history."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor
from tf_ctr.layers.history.histories import check_history, masked_softmax


@keras.saving.register_keras_serializable("tf_ctr")
class HistoryAttention(Layer):
    """Averages the vectors of a history with weights that depend on a query.

    `sum_j a_j r_j`, `a = softmax_j(h . relu(q W_q + r_j W_r + b))`, over the positions
    that are not padding. The query, the vector of a user for example, may have another
    width than the history. An empty history gives zeros.

    Source: NATR (Gao et al., Cross-domain Recommendation Without Sharing
    User-relevant Data, WWW 2019), item-level attention; a baseline of AutoFT (arXiv
    2106.04873), section 4.

    Args:
        units: Width of the hidden layer. Defaults to the width D of the history.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        query: The query vector, `[B, N]`.
        rows: Vectors of the history, `[B, T, D]`.
        ids: Ids of the history, `[B, T]`; 0 is padding.

    Output shape:
        `[B, D]`.

    Raises:
        ValueError: If `units` is not positive, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import HistoryAttention
    >>> rows = np.array([[[3.0, 4.0], [3.0, 4.0], [9.0, 9.0]]])
    >>> print(HistoryAttention()(np.ones((1, 5)), rows, np.array([[1, 2, 0]])).numpy())
    [[3. 4.]]
    """

    def __init__(self, units: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units is not None:
            check_positive(units=units)
        self.units = units

    def build(self, query_shape: Shape, rows_shape: Shape, ids_shape: Shape) -> None:
        """Creates `W_q [N, units]`, `W_r [D, units]`, `b [units]`, `h [units, 1]`."""
        check_history(rows_shape, ids_shape)
        if len(query_shape) != 2:
            raise ValueError(
                explain(
                    "one query per example, [B, N]",
                    tuple(query_shape),
                    "pool the vectors of a user into one",
                )
            )
        units = self.units or rows_shape[-1]
        self.query_kernel = self.add_weight(
            name="query_kernel", shape=(query_shape[-1], units)
        )
        self.row_kernel = self.add_weight(
            name="row_kernel", shape=(rows_shape[-1], units)
        )
        self.bias = self.add_weight(name="bias", shape=(units,), initializer="zeros")
        self.score_kernel = self.add_weight(name="score_kernel", shape=(units, 1))

    def call(self, query: Tensor, rows: Tensor, ids: Tensor) -> Tensor:
        """Takes the weighted mean over T."""
        query = ops.expand_dims(ops.matmul(query, self.query_kernel), 1)
        hidden = ops.relu(query + ops.matmul(rows, self.row_kernel) + self.bias)
        scores = ops.matmul(hidden, self.score_kernel)[..., 0]
        weights = masked_softmax(scores, ops.not_equal(ids, 0))
        return ops.sum(ops.expand_dims(weights, 2) * rows, axis=1)

    def compute_output_shape(
        self, query_shape: Shape, rows_shape: Shape, ids_shape: Shape
    ) -> Shape:
        """Drops T."""
        return (rows_shape[0], rows_shape[2])
