"""Attention of a candidate over the behaviours with the nearest hash codes."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Regularizer, Shape, Tensor
from tf_ctr.layers.history.histories import (
    check_candidate,
    check_fixed_length,
)
from tf_ctr.layers.history.retrieval import by_code, choose, take
from tf_ctr.layers.history.target_attention import TargetAttention


@keras.saving.register_keras_serializable("tf_ctr")
class ETAAttention(TargetAttention):
    """Applies target attention to the k behaviours with the nearest hash codes (ETA).

    The code of a vector is the signs of `bits` random projections, so near vectors
    have near codes. The layer keeps the k behaviours with the smallest Hamming
    distance to the candidate's code, and of equally near ones the newest. The
    projections are drawn once, never trained, and saved with the weights. No gradient
    flows through the choice, only through the chosen vectors; as those are trained,
    their codes follow.

    Source: ETA, Chen et al. (arXiv 2108.04468), as used in CTNet (arXiv 2208.05728),
    section 3.1; k = 64 is that of its section 4.2.

    Args:
        units: See `TargetAttention`.
        num_heads: See `TargetAttention`.
        top_k: Largest number of behaviours to keep; may be above T.
        bits: Length of a code. CTNet does not state it; 32 is FuxiCTR's.
        kernel_regularizer: See `TargetAttention`.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        query: Vector of the candidate, `[B, D]`.
        rows: Vectors of the history, oldest first, `[B, T, D]`.
        ids: Ids of the history, `[B, T]`; 0 is padding.

    Output shape:
        `[B, units]`.

    Raises:
        ValueError: If a size is not positive, the shapes do not fit, or T is unknown.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import ETAAttention
    >>> search = ETAAttention(units=4, num_heads=2, top_k=3, bits=8)
    >>> search(np.ones((2, 6)), np.ones((2, 9, 6)), np.ones((2, 9))).shape
    TensorShape([2, 4])
    >>> search.projection.trainable
    False
    """

    def __init__(
        self,
        units: int = 256,
        num_heads: int = 8,
        top_k: int = 64,
        bits: int = 32,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, num_heads, kernel_regularizer, **kwargs)
        check_positive(top_k=top_k, bits=bits)
        self.top_k = top_k
        self.bits = bits

    def build(self, query_shape: Shape, rows_shape: Shape, ids_shape: Shape) -> None:
        """Creates the kernels of the attention and the projections `[D, bits]`."""
        super().build(query_shape, rows_shape, ids_shape)
        check_candidate(query_shape, rows_shape)
        check_fixed_length(rows_shape)
        self.projection = self.add_weight(
            name="projection",
            shape=(rows_shape[-1], self.bits),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
        )

    def call(self, query: Tensor, rows: Tensor, ids: Tensor) -> Tensor:
        """Chooses k behaviours, then attends to them."""
        scores = by_code(query, rows, ops.not_equal(ids, 0), self.projection)
        positions, found = choose(scores, self.top_k)
        return self.attend(query, take(rows, positions), found)
