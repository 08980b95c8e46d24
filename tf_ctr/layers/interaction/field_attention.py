"""Self-attention over the fields of an example."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.interaction.checks import check_fields


@keras.saving.register_keras_serializable("tf_ctr")
class FieldAttention(Layer):
    """Lets each field attend to all fields, with a residual projection.

    For head `h`, `a = softmax_k(<e_m Q, e_k K>)`, `head_m = sum_k a_mk e_k V`;
    the output is `relu([head_m^1; ...; head_m^H] + e_m R)`.

    It is not a `keras.layers.MultiHeadAttention`, which has sub-layers: the sub-layers
    of a frozen layer are trainable again after loading from a `.keras` file.

    Source: AutoInt (arXiv 1810.11921), section 4.4, Eqs. 5 to 8.

    Args:
        num_heads: Number of heads H. AutoInt has 2.
        head_dim: Width of one head. AutoInt has 32.
        scaled: Whether to divide the scores by the square root of `head_dim`. The
            Transformer does; AutoInt does not.
        kernel_regularizer: Regularizer of the four kernels. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Field embeddings, `[B, F, D]`.

    Output shape:
        `[B, F, num_heads * head_dim]`.

    Raises:
        ValueError: If a size is not positive, or `x` does not have three axes.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import FieldAttention
    >>> FieldAttention(num_heads=2, head_dim=8)(np.ones((5, 3, 4))).shape
    TensorShape([5, 3, 16])
    """

    def __init__(
        self,
        num_heads: int = 2,
        head_dim: int = 32,
        scaled: bool = False,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_heads=num_heads, head_dim=head_dim)
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.scaled = scaled
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates `Q`, `K`, `V` and `R`, each `[D, num_heads * head_dim]`."""
        check_fields(input_shape)
        self._query, self._key, self._value, self._residual = [
            self.add_weight(
                name=f"{name}_kernel",
                shape=(input_shape[-1], self.num_heads * self.head_dim),
                initializer="glorot_normal",
                regularizer=self.kernel_regularizer,
            )
            for name in ("query", "key", "value", "residual")
        ]

    def call(self, x: Tensor) -> Tensor:
        """Attends from each field to all fields."""
        query, key, value = [
            self._heads(ops.matmul(x, kernel))
            for kernel in (self._query, self._key, self._value)
        ]
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        if self.scaled:
            scores = scores / self.head_dim**0.5
        heads = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
        heads = ops.reshape(heads, (-1, *self.compute_output_shape(x.shape)[1:]))
        return ops.relu(heads + ops.matmul(x, self._residual))

    def _heads(self, x):
        """Reshapes `[B, F, heads * d]` to `[B, heads, F, d]`."""
        x = ops.reshape(x, (-1, x.shape[1], self.num_heads, self.head_dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the heads side by side."""
        return (*input_shape[:-1], self.num_heads * self.head_dim)
