"""What a user's history of transferred items says, as seen by the user."""

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer
from tf_ctr.layers.history.histories import check_history, masked_softmax


@keras.saving.register_keras_serializable("tf_ctr")
class HistoryAttention(Layer):
    """Mean of a history's vectors, weighted by what a query asks for.

    `sum_j a_j r_j`, `a = softmax_j(h . relu(q W_q + r_j W_r + b))`, over the positions
    that are no padding. An empty history gives zeros. The query may have another
    width than the history, as the vector of a user may.

    Source: NATR (Gao et al., Cross-domain Recommendation Without Sharing
    User-relevant Data, WWW 2019), item-level attention; a baseline of AutoFT (arXiv
    2106.04873), section 4.

    Args:
        units: Width of the hidden layer. Defaults to the width D of the history.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        query: Vector of the user, `[B, N]`.
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

    def __init__(self, units=None, **kwargs):
        super().__init__(**kwargs)
        if units is not None:
            check_positive(units=units)
        self.units = units

    def build(self, query_shape, rows_shape, ids_shape):
        """Creates `W_q [N, units]`, `W_r [D, units]`, `b [units]`, `h [units, 1]`."""
        check_history(rows_shape, ids_shape)
        if len(query_shape) != 2:
            raise ValueError(
                explain(
                    "one query per example, [B, N]",
                    tuple(query_shape),
                    "pool the vectors of a user to one",
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

    def call(self, query, rows, ids):
        """Averages over T."""
        query = ops.expand_dims(ops.matmul(query, self.query_kernel), 1)
        hidden = ops.relu(query + ops.matmul(rows, self.row_kernel) + self.bias)
        scores = ops.matmul(hidden, self.score_kernel)[..., 0]
        weights = masked_softmax(scores, ops.not_equal(ids, 0))
        return ops.sum(ops.expand_dims(weights, 2) * rows, axis=1)

    def compute_output_shape(self, query_shape, rows_shape, ids_shape):
        """Drops T."""
        return (rows_shape[0], rows_shape[2])
