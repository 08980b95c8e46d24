"""The newest behaviours of a history."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor
from tf_ctr.layers.history.histories import check_fixed_length
from tf_ctr.layers.history.retrieval import by_recency, choose, take


@keras.saving.register_keras_serializable("tf_ctr")
class Newest(Layer):
    """Cuts a history to its newest `length` behaviours, oldest first.

    Padding may be anywhere in the input; in the output it comes first and is zero.

    Args:
        length: Number of behaviours to keep; all T if there are fewer.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        values: The history to cut: its ids `[B, T]`, or its vectors `[B, T, D]`.
        ids: Ids of the history, oldest first, `[B, T]`; 0 is padding.

    Output shape:
        `values` with `min(length, T)` in place of T.

    Raises:
        ValueError: If `length` is not positive, the shapes do not fit, or T is
            unknown.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import Newest
    >>> ids = np.array([[4, 6, 8, 0], [5, 0, 0, 0]])
    >>> Newest(2)(ids, ids).numpy()
    array([[6, 8],
           [0, 5]])
    """

    def __init__(self, length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive(length=length)
        self.length = length

    def build(self, values_shape: Shape, ids_shape: Shape) -> None:
        """Checks the shapes."""
        check_fixed_length(ids_shape)
        if tuple(values_shape[:2]) != tuple(ids_shape):
            raise ValueError(
                explain(
                    f"values for the ids {tuple(ids_shape)}",
                    tuple(values_shape),
                    "pass the ids, or the vectors that were looked up with them",
                )
            )

    def call(self, values: Tensor, ids: Tensor) -> Tensor:
        """Takes the newest behaviours and puts the oldest of them first."""
        positions, present = choose(by_recency(ids != 0), self.length)
        positions, present = ops.flip(positions, 1), ops.flip(present, 1)
        taken = take(values, positions)
        ones = (1,) * (len(values.shape) - 2)
        present = ops.reshape(present, (-1, present.shape[1], *ones))
        return ops.where(present, taken, ops.zeros_like(taken))

    def compute_output_shape(self, values_shape: Shape, ids_shape: Shape) -> Shape:
        """Returns the shape of `values` with at most `length` positions."""
        length = min(self.length, values_shape[1])
        return (values_shape[0], length, *values_shape[2:])
