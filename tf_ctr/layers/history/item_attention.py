"""The item-level attention of MiNet: candidate and user attend to a history."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.history.histories import (
    check_candidate,
    check_history,
    clear,
    masked_softmax,
)

KERNELS = ("history", "candidate", "user", "product")


@keras.saving.register_keras_serializable("tf_ctr")
class ItemAttention(Layer):
    """Averages the clicks of a history, weighted by their fit to candidate and user.

    `w_j = softmax_j(v . relu([r_j; q; p; (r_j M) * q] V))`, and the output is
    `sum_j w_j r_j`. `M = H_a H_b`, of rank `transfer_rank`, maps the clicks of one
    domain to the other; clicks in the candidate's own domain need no map (`M = I`).
    An empty history gives zeros.

    Source: Ouyang et al., MiNet (arXiv 2008.02974), item-level attention. The authors'
    code has hidden width 64 and rank 10.

    Args:
        units: Hidden width.
        transfer_rank: Rank of `M`. Defaults to no `M`.
        kernel_regularizer: Regularizer of all kernels.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        rows: Vectors `r` of the history, `[B, T, D]`.
        candidate: Vector `q` of the candidate, `[B, D]`.
        user: Vector `p` of the user, `[B, N]`.
        ids: Ids of the history, `[B, T]`; 0 is padding.

    Output shape:
        `[B, D]`.

    Raises:
        ValueError: If a size is not positive, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import ItemAttention
    >>> clicks, ids = np.array([[[3.0, 4.0], [9.0, 9.0]]]), np.array([[7, 0]])
    >>> ItemAttention()(clicks, np.ones((1, 2)), np.ones((1, 5)), ids).numpy()
    array([[3., 4.]], dtype=float32)
    """

    def __init__(
        self,
        units: int = 64,
        transfer_rank: int | None = None,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units)
        if transfer_rank is not None:
            check_positive(transfer_rank=transfer_rank)
        self.units = units
        self.transfer_rank = transfer_rank
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(
        self,
        rows_shape: Shape,
        candidate_shape: Shape,
        user_shape: Shape,
        ids_shape: Shape,
    ) -> None:
        """Creates the four parts of `V`, `v`, and, with a rank, `H_a` and `H_b`."""
        check_history(rows_shape, ids_shape)
        check_candidate(candidate_shape, rows_shape)
        width, units = rows_shape[-1], self.units
        widths = dict.fromkeys(KERNELS, width) | {"user": user_shape[-1]}
        self._kernels = [
            self._weight(f"{name}_kernel", (widths[name], units)) for name in KERNELS
        ]
        self._query = self._weight("query", (units, 1))
        self._transfer = []
        if self.transfer_rank is not None:
            rank = self.transfer_rank
            self._transfer = [
                self._weight("transfer_in", (width, rank)),
                self._weight("transfer_out", (rank, width)),
            ]

    def _weight(self, name, shape):
        return self.add_weight(
            name=name,
            shape=shape,
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )

    def call(
        self, rows: Tensor, candidate: Tensor, user: Tensor, ids: Tensor
    ) -> Tensor:
        """Takes the weighted mean over T."""
        present = ops.not_equal(ids, 0)
        rows = clear(rows, present)
        carried = rows
        for kernel in self._transfer:
            carried = ops.matmul(carried, kernel)
        of_history, of_candidate, of_user, of_product = self._kernels
        product = carried * ops.expand_dims(candidate, 1)
        hidden = ops.matmul(rows, of_history) + ops.matmul(product, of_product)
        context = ops.matmul(candidate, of_candidate) + ops.matmul(user, of_user)
        hidden = ops.relu(hidden + ops.expand_dims(context, 1))
        scores = ops.squeeze(ops.matmul(hidden, self._query), -1)
        weights = masked_softmax(scores, present)
        return ops.sum(ops.expand_dims(weights, -1) * rows, axis=1)

    def compute_output_shape(self, rows_shape: Shape, *other_shapes: Shape) -> Shape:
        """Drops T."""
        return (rows_shape[0], rows_shape[-1])
