"""AITM's attention between what a label knows and what the label before passes on."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Initializer, Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.core.ops import fresh


@keras.saving.register_keras_serializable("tf_ctr")
class InformationTransfer(Layer):
    """Mixes two vectors, each weighted by its attention to itself.

    `z = sum_u w_u V u` over `u` in (transferred, own), with `w = softmax_u(<Q u, K u> /
    sqrt(N))` and three matrices `V, Q, K`, without biases.

    Source: Xi et al., Modeling the Sequential Dependence among Audience Multi-step
    Conversions with Multi-task Learning in Targeted Display Advertising (KDD 2021,
    arXiv 2105.08489), the AIT module (section 3.3).

    Args:
        units: Output width N.
        kernel_initializer: Initializer of the three matrices.
        kernel_regularizer: Regularizer of the three matrices. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        transferred: What the label before passes on, `[B, M]`.
        own: The vector of the label itself, `[B, M]`.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If `units` is not positive, or the shapes differ.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import InformationTransfer
    >>> layer = InformationTransfer(1, kernel_initializer="ones")
    >>> one, two = np.array([[1.0]]), np.array([[2.0]])
    >>> layer(one, one).numpy()  # Equal vectors: half of each.
    array([[1.]], dtype=float32)
    >>> layer(one, two).numpy().round(3)  # (e**1 * 1 + e**4 * 2) / (e**1 + e**4)
    array([[1.953]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        kernel_initializer: Initializer = "glorot_normal",
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, transferred_shape: Shape, own_shape: Shape) -> None:
        """Creates the matrices `[M, N]`."""
        shapes = tuple(transferred_shape), tuple(own_shape)
        if len(own_shape) != 2 or shapes[0] != shapes[1]:
            raise ValueError(
                explain(
                    "two inputs of one shape [B, M]",
                    f"{shapes[0]} and {shapes[1]}",
                    "map what is transferred to the width of the label's own vector",
                )
            )
        self.value, self.query, self.key = (
            self.add_weight(
                name=name,
                shape=(own_shape[-1], self.units),
                initializer=fresh(self.kernel_initializer),
                regularizer=self.kernel_regularizer,
            )
            for name in ("value", "query", "key")
        )

    def call(self, transferred: Tensor, own: Tensor) -> Tensor:
        """Mixes the two vectors."""
        both = ops.stack([transferred, own], axis=1)
        query, key = ops.matmul(both, self.query), ops.matmul(both, self.key)
        scores = ops.sum(query * key, axis=-1, keepdims=True) / self.units**0.5
        return ops.sum(
            ops.softmax(scores, axis=1) * ops.matmul(both, self.value), axis=1
        )

    def compute_output_shape(self, transferred_shape: Shape, own_shape: Shape) -> Shape:
        """Returns `[B, N]`."""
        return (own_shape[0], self.units)
