"""A block of MaskNet: a hidden layer on an input masked by the example itself."""

import math
from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class MaskBlock(Layer):
    """Multiplies its input with a mask made from the embeddings, then a hidden layer.

    `mask = relu(e A + a) P + p`, `y = relu(LN((mask * x) W))`.

    Source: MaskNet, Wang et al. (arXiv 2102.07619), sections 3.2 to 3.4.

    Args:
        units: Width of the block's output.
        reduction_ratio: Width of `A` as a multiple of the width of the mask.
        kernel_regularizer: Regularizer of the three kernels. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: The embeddings after LayerNorm, or the output of another block, `[B, M]`.
        embeddings: The embeddings side by side, `[B, N]`.

    Output shape:
        `[B, units]`.

    Raises:
        ValueError: If `units` is not positive, or `reduction_ratio` not above 0.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import MaskBlock
    >>> MaskBlock(5)(np.ones((2, 4)), np.ones((2, 6))).shape
    TensorShape([2, 5])
    """

    def __init__(
        self,
        units: int,
        reduction_ratio: float = 2.0,
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units)
        if not (reduction_ratio > 0 and math.isfinite(reduction_ratio)):
            raise ValueError(
                explain(
                    "a `reduction_ratio` above 0",
                    reduction_ratio,
                    "pass reduction_ratio=2",
                )
            )
        self.units = units
        self.reduction_ratio = reduction_ratio
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x_shape: Shape, embeddings_shape: Shape) -> None:
        """Creates `A`, `a`, `P`, `p`, `W`, and the scale and offset of `LN`."""
        width = x_shape[-1]
        wide = max(1, round(self.reduction_ratio * width))
        self._aggregation = self._pair("aggregation", embeddings_shape[-1], wide)
        self._projection = self._pair("projection", wide, width)
        self.kernel = self._kernel("kernel", width, self.units)
        self.scale = self.add_weight((self.units,), "ones", name="scale")
        self.offset = self.add_weight((self.units,), "zeros", name="offset")

    def _kernel(self, name, inputs, outputs):
        return self.add_weight(
            name=name,
            shape=(inputs, outputs),
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )

    def _pair(self, name, inputs, outputs):
        kernel = self._kernel(f"{name}_kernel", inputs, outputs)
        return kernel, self.add_weight((outputs,), "zeros", name=f"{name}_bias")

    def call(self, x: Tensor, embeddings: Tensor) -> Tensor:
        """Masks `x`, then applies the hidden layer."""
        (a_kernel, a_bias), (p_kernel, p_bias) = self._aggregation, self._projection
        wide = ops.relu(ops.matmul(embeddings, a_kernel) + a_bias)
        mask = ops.matmul(wide, p_kernel) + p_bias
        hidden = ops.matmul(mask * x, self.kernel)
        hidden = ops.layer_normalization(
            hidden, self.scale, self.offset, axis=-1, epsilon=1e-6
        )
        return ops.relu(hidden)

    def compute_output_shape(self, x_shape: Shape, embeddings_shape: Shape) -> Shape:
        """Returns `[B, units]`."""
        return (x_shape[0], self.units)
