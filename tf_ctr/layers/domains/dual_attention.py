"""The dual attention of DASL, over the histories of two domains at once."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.history.histories import (
    check_candidate,
    check_history,
    masked_softmax,
)


@keras.saving.register_keras_serializable("tf_ctr")
class DualAttention(Layer):
    """Pools two histories with weights that sum to 1 over both together.

    `w = softmax([a(h^1); a(h^2)])` with `a(h_j) = v . tanh(h_j W + q Q + b)`; the
    outputs are `sum_j w_j h_j` over the first history, and over the second. The better
    a candidate fits one history, the less weight the other gets. An empty history gives
    zeros.

    Source: Li et al., Dual Attentive Sequential Learning (arXiv 2106.02768), dual
    attention. The additive attention with the candidate as its query is our reading.

    Args:
        units: Hidden width.
        kernel_regularizer: Regularizer of all kernels.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        first: States of the first history, `[B, T1, H]`.
        second: States of the second history, `[B, T2, H]`.
        candidate: Vector `q` of the candidate, `[B, D]`.
        first_ids: Ids of the first history, `[B, T1]`; 0 is padding.
        second_ids: Ids of the second history, `[B, T2]`; 0 is padding.

    Output shape:
        A pair of `[B, H]`.

    Raises:
        ValueError: If `units` is not positive, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import DualAttention
    >>> layer = DualAttention(4)
    >>> states, one = np.array([[[3.0], [5.0]]]), np.array([[[1.0]]])
    >>> ids, empty = np.array([[7, 0]]), np.array([[0]])
    >>> own, other = layer(states, one, np.ones((1, 2)), ids, empty)
    >>> own.numpy().item(), other.numpy().item()
    (3.0, 0.0)
    """

    def __init__(
        self,
        units: int = 64,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True

    def build(
        self,
        first_shape: Shape,
        second_shape: Shape,
        candidate_shape: Shape,
        first_ids_shape: Shape,
        second_ids_shape: Shape,
    ) -> None:
        """Creates `W [H, units]`, `Q [D, units]`, `b` and `v [units, 1]`."""
        check_history(first_shape, first_ids_shape)
        check_history(second_shape, second_ids_shape)
        check_candidate(candidate_shape)
        width = first_shape[-1]
        if second_shape[-1] != width:
            raise ValueError(
                explain(
                    "states of the same width in both histories",
                    f"{tuple(first_shape)} and {tuple(second_shape)}",
                    "give both GRUs the same units",
                )
            )
        self._state_kernel = self._weight("state_kernel", (width, self.units))
        self._candidate_kernel = self._weight(
            "candidate_kernel", (candidate_shape[-1], self.units)
        )
        self._bias = self.add_weight(
            name="bias", shape=(self.units,), initializer="zeros"
        )
        self._query = self._weight("query", (self.units, 1))

    def _weight(self, name, shape):
        return self.add_weight(
            name=name,
            shape=shape,
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )

    def call(
        self,
        first: Tensor,
        second: Tensor,
        candidate: Tensor,
        first_ids: Tensor,
        second_ids: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Pools each history with its share of the weights."""
        states = ops.concatenate([first, second], axis=1)
        present = ops.concatenate(
            [ops.not_equal(first_ids, 0), ops.not_equal(second_ids, 0)], axis=1
        )
        context = ops.matmul(candidate, self._candidate_kernel) + self._bias
        hidden = ops.matmul(states, self._state_kernel) + ops.expand_dims(context, 1)
        scores = ops.squeeze(ops.matmul(ops.tanh(hidden), self._query), -1)
        weights = ops.expand_dims(masked_softmax(scores, present), -1)
        length = first.shape[1]
        return (
            ops.sum(weights[:, :length] * first, axis=1),
            ops.sum(weights[:, length:] * second, axis=1),
        )

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> None:
        """Drops the Keras mask, because the output has no axis T."""
        return None

    def compute_output_shape(
        self, first_shape: Shape, second_shape: Shape, *other_shapes: Shape
    ) -> tuple[Shape, Shape]:
        """Drops T."""
        width = first_shape[-1]
        return (first_shape[0], width), (second_shape[0], width)
