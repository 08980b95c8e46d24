"""Attention over the conditions of an example, as a layer and as functions."""

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class ConditionAttention(Layer):
    """Returns the weighted mean of J conditions, `sum_j a_j z_j`.

    `a = softmax_j(q . tanh(z_j W))`.

    Source: APG (arXiv 2203.16218), section 3.1.1, input aggregation. The paper does
    not say which form of attention it uses; this is the usual additive attention.

    Args:
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        z: Conditions, `[B, J, D]`.

    Output shape:
        `[B, D]`.

    Raises:
        ValueError: If `z` does not have three axes.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import ConditionAttention
    >>> ConditionAttention()(np.array([[[3.0, 4.0], [3.0, 4.0]]])).numpy()
    array([[3., 4.]], dtype=float32)
    """

    def build(self, z_shape: Shape) -> None:
        """Creates `W [D, D]` and `q [D, 1]`."""
        if len(z_shape) != 3:
            raise ValueError(
                explain(
                    "conditions of shape [B, J, D]",
                    tuple(z_shape),
                    "stack the condition embeddings on axis 1",
                )
            )
        self.kernel, self.query = add_attention(self, z_shape[-1])

    def call(self, z: Tensor) -> Tensor:
        """Takes the weighted mean over J."""
        return ops.sum(attention(z, self.kernel, self.query) * z, axis=1)

    def compute_output_shape(self, z_shape: Shape) -> Shape:
        """Drops J."""
        return (z_shape[0], z_shape[2])


def add_attention(layer: Layer, width: int) -> tuple[keras.Variable, keras.Variable]:
    """Creates the weights of `attention`, owned by `layer`.

    Args:
        layer: The layer, which is being built.
        width: Width D of a condition.

    Returns:
        `W [D, D]` and `q [D, 1]`.
    """
    return (
        layer.add_weight(name="attention_kernel", shape=(width, width)),
        layer.add_weight(name="attention_query", shape=(width, 1)),
    )


def attention(z: Tensor, kernel: Tensor, query: Tensor) -> Tensor:
    """Returns the weights `[B, J, 1]` of the conditions `z [B, J, D]`."""
    return ops.softmax(ops.matmul(ops.tanh(ops.matmul(z, kernel)), query), axis=1)
