"""The cross layers of the Deep & Cross Network, first and second version."""

from typing import Any, NamedTuple

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Initializer, Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.core.ops import fresh
from tf_ctr.layers.interaction.checks import check_vectors


@keras.saving.register_keras_serializable("tf_ctr")
class CrossLayer(Layer):
    """Computes one explicit feature cross, `x0 * (x . w) + b + x`.

    In a chain of cross layers every output is `x0 * scale + offset`, with a number
    `scale` for each example and a vector `offset` for all: the next layer computes its
    own from them and never reads `x`. A graph then leaves out all outputs but the last.

    Source: AutoFT (arXiv 2106.04873), section 3.1; Wang et al., Deep & Cross
    Network (arXiv 1708.05123), Eq. 3.

    Args:
        kernel_initializer: Initializer of `w`. Defaults to `"glorot_normal"`.
        bias_initializer: Initializer of `b`. Defaults to `"zeros"`.
        kernel_regularizer: Regularizer of `w`. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x0: Input of the cross network, `[B, N]`.
        x: Output of the previous cross layer, `[B, N]`; `x0` for the first one.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If `x0` and `x` do not have the same shape `[B, N]`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import CrossLayer
    >>> cross = CrossLayer(kernel_initializer="ones", bias_initializer="ones")
    >>> x0, x = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    >>> cross(x0, x).numpy()  # [1, 2] * (3 + 4) + 1 + [3, 4]
    array([[11., 19.]], dtype=float32)
    """

    def __init__(
        self,
        kernel_initializer: Initializer = "glorot_normal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x0_shape: Shape, x_shape: Shape) -> None:
        """Creates `w [N, 1]` and `b [N]`."""
        check_vectors(x0_shape, x_shape)
        width = x0_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(width, 1),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(width,), initializer=self.bias_initializer
        )

    def call(self, x0: Tensor, x: Tensor) -> Tensor:
        """Crosses `x` with `x0`."""
        chain = getattr(x, "_cross_chain", None)  # As Keras keeps a tensor's mask.
        if chain is None or chain.x0 is not x0:
            product = ops.matmul(x, self.kernel)
            output = x0 * product + self.bias + x
            if x is x0:
                bias = ops.convert_to_tensor(self.bias)
                output._cross_chain = _Chain(x0, 1.0 + product, bias)
            return output
        product = chain.scale * ops.matmul(x0, self.kernel)
        product = product + ops.matmul(chain.offset[None, :], self.kernel)
        scale, offset = chain.scale + product, chain.offset + self.bias
        output = x0 * scale + offset
        output._cross_chain = _Chain(x0, scale, offset)
        return output

    def compute_output_shape(self, x0_shape: Shape, x_shape: Shape) -> Shape:
        """Returns the shape of `x0`."""
        return x0_shape


class _Chain(NamedTuple):
    """The output of a cross layer as `x0 * scale + offset`."""

    x0: Tensor
    scale: Tensor
    offset: Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class CrossLayerV2(Layer):
    """Computes one feature cross with a matrix, `x0 * (x W + b) + x`.

    With a rank, `W = U V` is not formed: `x0 * ((x U) V + b) + x`.

    Source: Wang et al., DCN V2 (arXiv 2008.13535), Eqs. 1 and 2.

    Args:
        rank: Rank K of the kernel. Defaults to a full matrix.
        kernel_initializer: Initializer of `W`, or of `U` and `V`. Defaults to
            `"glorot_normal"`.
        bias_initializer: Initializer of `b`. Defaults to `"zeros"`.
        kernel_regularizer: Regularizer of `W`, or of `U` and `V`. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x0: Input of the cross network, `[B, N]`.
        x: Output of the previous cross layer, `[B, N]`; `x0` for the first one.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If `rank` is not positive, or `x0` and `x` do not have the same
            shape `[B, N]`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import CrossLayerV2
    >>> cross = CrossLayerV2(kernel_initializer="ones", bias_initializer="ones")
    >>> x0, x = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    >>> cross(x0, x).numpy()  # [1, 2] * (3 + 4 + 1) + [3, 4]
    array([[11., 20.]], dtype=float32)
    """

    def __init__(
        self,
        rank: int | None = None,
        kernel_initializer: Initializer = "glorot_normal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if rank is not None:
            check_positive(rank=rank)
        self.rank = rank
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x0_shape: Shape, x_shape: Shape) -> None:
        """Creates `W [N, N]`, or `U [N, K]` and `V [K, N]`; and `b [N]`."""
        check_vectors(x0_shape, x_shape)
        width = x0_shape[-1]
        if self.rank is None:
            self._kernels = [self._add_kernel("kernel", (width, width))]
        else:
            self._kernels = [
                self._add_kernel("down_kernel", (width, self.rank)),
                self._add_kernel("up_kernel", (self.rank, width)),
            ]
        self.bias = self.add_weight(
            name="bias", shape=(width,), initializer=self.bias_initializer
        )

    def _add_kernel(self, name, shape):
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=fresh(self.kernel_initializer),
            regularizer=self.kernel_regularizer,
        )

    def call(self, x0: Tensor, x: Tensor) -> Tensor:
        """Crosses `x` with `x0`."""
        product = x
        for kernel in self._kernels:
            product = ops.matmul(product, kernel)
        return x0 * (product + self.bias) + x

    def compute_output_shape(self, x0_shape: Shape, x_shape: Shape) -> Shape:
        """Returns the shape of `x0`."""
        return x0_shape
