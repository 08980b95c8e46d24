"""One encoder layer of a Transformer over a history (BST)."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.history.histories import (
    check_heads,
    check_history,
    clear,
    masked_softmax,
)


@keras.saving.register_keras_serializable("tf_ctr")
class TransformerEncoder(Layer):
    """Encodes a history by self-attention and a feed-forward network.

    `S = LN(E + [head_1; ...; head_H] W_o)`,
    `F = LN(S + leaky_relu(S W_1 + b_1) W_2 + b_2)`, with `E = rows + p`. `p` is
    learned per position, counted from the newest behaviour, so padding does not shift
    it. Time and memory grow with the square of T: cut a long history with `Newest`.

    Source: BST, Chen et al. (arXiv 1905.06874), section 2.2; 8 heads and 256 units
    are those of CTNet (arXiv 2208.05728), section 4.2. Unlike BST, positions are
    ranks instead of time gaps, and there is no dropout.

    Args:
        units: Width of all heads together.
        num_heads: Number of heads H.
        feed_forward_units: Width between `W_1` and `W_2`. Defaults to 4 D, the ratio
            of Vaswani et al. (arXiv 1706.03762).
        num_positions: Learned positions; older behaviours share the last one.
            Defaults to T.
        kernel_regularizer: Regularizer of the six kernels. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        rows: Vectors of the history, oldest first, `[B, T, D]`.
        ids: Ids of the history, `[B, T]`; 0 is padding.

    Output shape:
        `[B, T, D]`, zero at padding.

    Raises:
        ValueError: If `num_heads` does not divide `units`, a size is not positive, or
            the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import TransformerEncoder
    >>> TransformerEncoder(8, 2)(np.ones((2, 5, 6)), np.ones((2, 5))).shape
    TensorShape([2, 5, 6])
    """

    def __init__(
        self,
        units: int = 256,
        num_heads: int = 8,
        feed_forward_units: int | None = None,
        num_positions: int | None = None,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_heads(units, num_heads)
        if feed_forward_units is not None:
            check_positive(feed_forward_units=feed_forward_units)
        if num_positions is not None:
            check_positive(num_positions=num_positions)
        self.units = units
        self.num_heads = num_heads
        self.feed_forward_units = feed_forward_units
        self.num_positions = num_positions
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, rows_shape: Shape, ids_shape: Shape) -> None:
        """Creates positions, kernels, biases and the scales of the LayerNorms."""
        check_history(rows_shape, ids_shape)
        _, length, width = rows_shape
        if not (self.num_positions or length):
            raise ValueError(
                explain(
                    "a history of known length T",
                    tuple(rows_shape),
                    "pass num_positions=",
                )
            )
        hidden = self.feed_forward_units or 4 * width
        self._positions = self.add_weight(
            name="positions",
            shape=(self.num_positions or length, width),
            # As small as the rows of an Embedding, which they are added to.
            initializer=keras.initializers.RandomNormal(stddev=1e-4),
        )
        self._query, self._key, self._value = [
            self._kernel(name, width, self.units) for name in ("query", "key", "value")
        ]
        self._output = self._kernel("output", self.units, width)
        self._first = (
            self._kernel("feed_forward_0", width, hidden),
            self.add_weight((hidden,), "zeros", name="feed_forward_0_bias"),
        )
        self._second = (
            self._kernel("feed_forward_1", hidden, width),
            self.add_weight((width,), "zeros", name="feed_forward_1_bias"),
        )
        self._norms = [
            (
                self.add_weight((width,), "ones", name=f"norm_{i}_scale"),
                self.add_weight((width,), "zeros", name=f"norm_{i}_offset"),
            )
            for i in range(2)
        ]

    def _kernel(self, name, inputs, outputs):
        return self.add_weight(
            name=f"{name}_kernel",
            shape=(inputs, outputs),
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )

    def call(self, rows: Tensor, ids: Tensor) -> Tensor:
        """Encodes each behaviour with attention to all behaviours except padding."""
        present = ops.not_equal(ids, 0)
        x = clear(rows + self._position_of(present), present)
        x = self._norm(x + self._attention(x, present), 0)
        (w1, b1), (w2, b2) = self._first, self._second
        hidden = ops.leaky_relu(ops.matmul(x, w1) + b1)
        x = self._norm(x + ops.matmul(hidden, w2) + b2, 1)
        return clear(x, present)

    def _position_of(self, present):
        """Returns the learned vector of each behaviour, by the number of newer ones."""
        count = ops.cast(present, "int32")
        newer = ops.sum(count, axis=1, keepdims=True) - ops.cumsum(count, axis=1)
        place = ops.clip(newer, 0, self._positions.shape[0] - 1)
        # The product makes the gradient of the variable dense: Keras's optimizers are
        # wrong for a sparse gradient with repeated indices.
        return ops.take(1.0 * self._positions, place, axis=0)

    def _attention(self, x, present):
        query, key, value = [
            ops.reshape(ops.matmul(x, kernel), self._heads_shape(x))
            for kernel in (self._query, self._key, self._value)
        ]
        scores = ops.einsum("bqhd,bkhd->bhqk", query, key)
        scores = scores / (self.units // self.num_heads) ** 0.5
        weights = masked_softmax(scores, ops.expand_dims(present, (1, 2)))
        heads = ops.einsum("bhqk,bkhd->bqhd", weights, value)
        flat = ops.reshape(heads, (-1, ops.shape(x)[1], self.units))
        return ops.matmul(flat, self._output)

    def _heads_shape(self, x):
        width = self.units // self.num_heads
        return (-1, ops.shape(x)[1], self.num_heads, width)

    def _norm(self, x, i):
        scale, offset = self._norms[i]
        return ops.layer_normalization(x, scale, offset, axis=-1, epsilon=1e-6)

    def compute_output_shape(self, rows_shape: Shape, ids_shape: Shape) -> Shape:
        """Returns the shape of the vectors."""
        return rows_shape
