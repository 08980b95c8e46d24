"""A linear map that a penalty keeps close to an orthogonal one."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class Orthogonality(keras.regularizers.Regularizer):
    """The penalty `weight * |X X^T - I|_1`, the sum of absolute entries.

    Source: Li and Tuzhilin, DDTCDR (arXiv 1910.05189), its orthogonality constraint.

    Args:
        weight: Weight of the penalty.

    Example:

    >>> import numpy as np
    >>> float(Orthogonality(0.5)(np.array([[1.0, 0.0], [1.0, 1.0]])))  # 1 + 1 + 1
    1.5
    """

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, x: Tensor) -> Tensor:
        """Returns the penalty of `x [N, N]`."""
        product = ops.matmul(x, ops.transpose(x))
        difference = ops.abs(product - ops.eye(x.shape[0], dtype=x.dtype))
        return self.weight * ops.sum(difference)

    def get_config(self) -> dict[str, float]:
        """Returns the arguments of the regularizer."""
        return {"weight": self.weight}


@keras.saving.register_keras_serializable("tf_ctr")
class OrthogonalMap(Layer):
    """Maps vectors by `x X`, or back by `x X^T`, with `X X^T` close to the identity.

    `X` starts as the identity.

    Source: Li and Tuzhilin, DDTCDR (arXiv 1910.05189), section on latent orthogonal
    mapping.

    Args:
        penalty: Weight of the penalty `|X X^T - I|_1`. The authors' code has 1e-6.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: `[B, N]`.
        back: Whether to map by `X^T` instead of `X`.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If `penalty` is negative, or `x` does not have two axes.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import OrthogonalMap
    >>> OrthogonalMap()(np.array([[1.0, 2.0]])).numpy()
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, penalty: float = 1e-06, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if penalty < 0:
            raise ValueError(
                explain("a penalty of at least 0", penalty, "pass 0 for no penalty")
            )
        self.penalty = penalty

    def build(self, x_shape: Shape) -> None:
        """Creates `X [N, N]`."""
        if len(x_shape) != 2:
            raise ValueError(
                explain("x of shape [B, N]", tuple(x_shape), "pool or flatten it")
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(x_shape[-1], x_shape[-1]),
            initializer="identity",
            regularizer=Orthogonality(self.penalty),
        )

    def call(self, x: Tensor, back: bool = False) -> Tensor:
        """Maps `x`, or maps it back."""
        return ops.matmul(x, ops.transpose(self.kernel) if back else self.kernel)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """Returns the shape of `x`."""
        return x_shape
