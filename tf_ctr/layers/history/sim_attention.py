"""Attention of a candidate over the behaviours of its category."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Regularizer, Shape, Tensor
from tf_ctr.layers.history.histories import check_fixed_length
from tf_ctr.layers.history.retrieval import by_recency, choose, take
from tf_ctr.layers.history.target_attention import TargetAttention


@keras.saving.register_keras_serializable("tf_ctr")
class SIMAttention(TargetAttention):
    """Applies target attention to the newest k behaviours of one category (SIM).

    This is the hard search of SIM. It compares ids only, then reads k vectors of the
    history. A candidate without a category (id 0), or whose category is not in the
    history, gives zeros.

    Source: SIM (hard), Pi et al. (arXiv 2006.05639), as used in CTNet (arXiv
    2208.05728), section 3.1; k = 64 is that of its section 4.2.

    Args:
        units: See `TargetAttention`.
        num_heads: See `TargetAttention`.
        top_k: Largest number of behaviours to keep; may be above T.
        kernel_regularizer: See `TargetAttention`.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        query: Vector of the candidate, `[B, N]`.
        rows: Vectors of the history, oldest first, `[B, T, D]`.
        ids: Ids of the history, `[B, T]`; 0 is padding.
        category: Category id of the candidate, `[B]`.
        categories: Category ids of the history, `[B, T]`.

    Output shape:
        `[B, units]`.

    Raises:
        ValueError: If a size is not positive, the shapes do not fit, or T is unknown.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import SIMAttention
    >>> category, categories = np.array([7]), np.array([[8, 9]])
    >>> search = SIMAttention(units=2, num_heads=1)
    >>> rows, ids = np.ones((1, 2, 3)), np.array([[5, 6]])
    >>> search(np.ones((1, 3)), rows, ids, category, categories).numpy()
    array([[0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        units: int = 256,
        num_heads: int = 8,
        top_k: int = 64,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, num_heads, kernel_regularizer, **kwargs)
        check_positive(top_k=top_k)
        self.top_k = top_k

    # `build` and `call` take two more inputs than the parent's: the categories.
    def build(  # type: ignore[override]
        self,
        query_shape: Shape,
        rows_shape: Shape,
        ids_shape: Shape,
        category_shape: Shape,
        categories_shape: Shape,
    ) -> None:
        """Creates the kernels of the attention."""
        check_fixed_length(rows_shape)
        if tuple(categories_shape) != tuple(ids_shape) or len(category_shape) != 1:
            raise ValueError(
                explain(
                    "the category of the candidate, [B], and one category per id of "
                    f"the history, {tuple(ids_shape)}",
                    f"{tuple(category_shape)} and {tuple(categories_shape)}",
                    "keep the categories as a second history of the same max_length",
                )
            )
        super().build(query_shape, rows_shape, ids_shape)

    def call(  # type: ignore[override]
        self,
        query: Tensor,
        rows: Tensor,
        ids: Tensor,
        category: Tensor,
        categories: Tensor,
    ) -> Tensor:
        """Chooses k behaviours, then attends to them."""
        category = ops.expand_dims(category, 1)
        alike = ops.logical_and(categories == category, categories != 0)
        scores = by_recency(ops.logical_and(alike, ids != 0))
        positions, found = choose(scores, self.top_k)
        return self.attend(query, take(rows, positions), found)
