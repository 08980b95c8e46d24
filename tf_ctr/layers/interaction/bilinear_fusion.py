"""One logit from two streams and the products between them."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class BilinearFusion(Layer):
    """Applies a linear unit to two vectors and to all products between them.

    `x w_x + y w_y + sum_h x_h W_h y_h + b`, where `x_h` and `y_h` are the h-th of
    `num_heads` equal parts of `x` and `y`.

    Source: FinalMLP (arXiv 2304.00902), section "Stream-level interaction
    aggregation", bilinear fusion with its multi-head form.

    Args:
        num_heads: Number H of parts; the more parts, the fewer products.
        kernel_regularizer: Regularizer of the kernels. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Output of the first stream, `[B, M]`.
        y: Output of the second stream, `[B, N]`.

    Output shape:
        `[B, 1]`.

    Raises:
        ValueError: If `num_heads` is not positive or does not divide M and N, or a
            stream does not have two axes.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import BilinearFusion
    >>> BilinearFusion(num_heads=2)(np.ones((3, 8)), np.ones((3, 4))).shape
    TensorShape([3, 1])
    """

    def __init__(
        self,
        num_heads: int = 1,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_heads=num_heads)
        self.num_heads = num_heads
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x_shape: Shape, y_shape: Shape) -> None:
        """Creates `w_x [M, 1]`, `w_y [N, 1]`, all `W_h` as `[M N / H, 1]`, `b [1]`."""
        self._check_shapes(x_shape, y_shape)
        m, n = x_shape[-1], y_shape[-1]
        self._x_kernel = self._add_kernel("x_kernel", m)
        self._y_kernel = self._add_kernel("y_kernel", n)
        # A column: Glorot then counts the M N / H products as the fan-in of one unit.
        self._fusion_kernel = self._add_kernel("fusion_kernel", m * n // self.num_heads)
        self.bias = self.add_weight(name="bias", shape=(1,), initializer="zeros")

    def _check_shapes(self, x_shape, y_shape):
        widths = x_shape[-1], y_shape[-1]
        if (
            len(x_shape) != 2
            or len(y_shape) != 2
            or any(width % self.num_heads for width in widths)
        ):
            raise ValueError(
                explain(
                    f"x [B, M] and y [B, N], {self.num_heads} heads dividing M and N",
                    f"x {tuple(x_shape)}, y {tuple(y_shape)}",
                    "pass num_heads=1, or widths that are multiples of it",
                )
            )

    def _add_kernel(self, name, width):
        return self.add_weight(
            name=name,
            shape=(width, 1),
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )

    def call(self, x: Tensor, y: Tensor) -> Tensor:
        """Adds up the linear and the bilinear terms."""
        x_heads, y_heads = [
            ops.reshape(z, (-1, self.num_heads, z.shape[-1] // self.num_heads))
            for z in (x, y)
        ]
        kernel = ops.reshape(
            self._fusion_kernel, (self.num_heads, x_heads.shape[-1], y_heads.shape[-1])
        )
        products = ops.einsum("bhm,hmn->bhn", x_heads, kernel) * y_heads
        fusion = ops.expand_dims(ops.sum(products, axis=(1, 2)), -1)
        linear = ops.matmul(x, self._x_kernel) + ops.matmul(y, self._y_kernel)
        return linear + fusion + self.bias

    def compute_output_shape(self, x_shape: Shape, y_shape: Shape) -> Shape:
        """Returns `[B, 1]`."""
        return (x_shape[0], 1)
