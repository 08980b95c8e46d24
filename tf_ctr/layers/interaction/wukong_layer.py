"""One layer of Wukong: a factorization machine block beside a linear one."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.interaction.checks import check_fields


@keras.saving.register_keras_serializable("tf_ctr")
class WukongLayer(Layer):
    """Makes new vectors from the products of vectors, and from their linear sums.

    `m = LN(flat(x (x^T Y)))`, `f = relu(m U + u) V + v` as `num_products` vectors,
    `l = L x` as `num_sums` vectors, `y = LN([f; l] + x)`. If there are more or fewer
    vectors than before, `R x` is added in place of `x`.

    Source: Wukong, Zhang et al. (arXiv 2403.02545), sections 3.2 to 3.6.

    Args:
        num_products: Vectors made from products.
        num_sums: Vectors made by linear sums.
        rank: Columns of `Y`, onto which the products of all pairs are projected.
        units: Width of `U`.
        kernel_regularizer: Regularizer of all matrices. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Vectors, `[B, F, D]`.

    Output shape:
        `[B, num_products + num_sums, D]`.

    Raises:
        ValueError: If a size is not positive, or the shape does not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import WukongLayer
    >>> WukongLayer(2, 3, rank=2, units=8)(np.ones((4, 7, 6))).shape
    TensorShape([4, 5, 6])
    """

    def __init__(
        self,
        num_products: int,
        num_sums: int,
        rank: int = 8,
        units: int = 64,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(
            num_products=num_products, num_sums=num_sums, rank=rank, units=units
        )
        self.num_products = num_products
        self.num_sums = num_sums
        self.rank = rank
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates `Y`, `U`, `u`, `V`, `v`, `L`, any `R`, and the LayerNorms."""
        check_fields(input_shape)
        _, fields, width = input_shape
        total = self.num_products + self.num_sums
        flat = fields * self.rank
        self._project = self._kernel("project_kernel", fields, self.rank)
        self._product_norm = self._norm("product_norm", flat)
        self._first = self._dense("product_0", flat, self.units)
        self._second = self._dense("product_1", self.units, self.num_products * width)
        self._sum = self._kernel("sum_kernel", fields, self.num_sums)
        self._residual = None
        if total != fields:
            self._residual = self._kernel("residual_kernel", fields, total)
        self._output_norm = self._norm("norm", width)

    def _kernel(self, name, inputs, outputs):
        return self.add_weight(
            name=name,
            shape=(inputs, outputs),
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )

    def _dense(self, name, inputs, outputs):
        kernel = self._kernel(f"{name}_kernel", inputs, outputs)
        return kernel, self.add_weight((outputs,), "zeros", name=f"{name}_bias")

    def _norm(self, name, width):
        scale = self.add_weight((width,), "ones", name=f"{name}_scale")
        return scale, self.add_weight((width,), "zeros", name=f"{name}_offset")

    def call(self, x: Tensor) -> Tensor:
        """Combines the two blocks with the input."""
        fields, width = x.shape[1:]
        columns = ops.transpose(x, (0, 2, 1))  # [B, D, F]
        # `x (x^T Y)` costs F D K; `(x x^T) Y` would cost F^2 D.
        products = ops.matmul(x, ops.matmul(columns, self._project))
        flat = ops.reshape(products, (-1, fields * self.rank))
        (u_kernel, u_bias), (v_kernel, v_bias) = self._first, self._second
        hidden = ops.relu(
            ops.matmul(_layer_norm(flat, *self._product_norm), u_kernel) + u_bias
        )
        made = ops.matmul(hidden, v_kernel) + v_bias
        made = ops.reshape(made, (-1, self.num_products, width))
        sums = ops.transpose(ops.matmul(columns, self._sum), (0, 2, 1))
        if self._residual is not None:
            x = ops.transpose(ops.matmul(columns, self._residual), (0, 2, 1))
        joined = ops.concatenate([made, sums], axis=1)
        return _layer_norm(joined + x, *self._output_norm)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the new number of vectors."""
        return (input_shape[0], self.num_products + self.num_sums, input_shape[2])


def _layer_norm(x, scale, offset):
    return ops.layer_normalization(x, scale, offset, axis=-1, epsilon=1e-6)
