"""One layer of the compressed interaction network (CIN)."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.interaction.checks import check_fields


@keras.saving.register_keras_serializable("tf_ctr")
class CompressedInteraction(Layer):
    """Computes weighted sums of all products between two sets of vectors.

    `y_u = sum_{h, f} W_{u, h, f} (x_h * x0_f)`, where `*` multiplies coordinate by
    coordinate.

    Source: xDeepFM (arXiv 1803.05170), section 3.2, Eq. 6, with the identity as
    activation, which the paper found to be best.

    Args:
        units: Number U of output vectors.
        kernel_regularizer: Regularizer of `W`. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x0: Field embeddings, `[B, F, D]`.
        x: Output of the previous layer, `[B, H, D]`; `x0` for the first one.

    Output shape:
        `[B, U, D]`.

    Raises:
        ValueError: If `units` is not positive, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import CompressedInteraction
    >>> x = np.ones((2, 4, 3))
    >>> CompressedInteraction(5)(x, x).shape
    TensorShape([2, 5, 3])
    """

    def __init__(
        self, units: int, kernel_regularizer: Regularizer | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x0_shape: Shape, x_shape: Shape) -> None:
        """Creates `W [H F, U]`."""
        check_fields(x0_shape)
        check_fields(x_shape)
        if x0_shape[-1] != x_shape[-1]:
            raise ValueError(
                explain(
                    "x0 and x of the same embedding dim D",
                    f"x0 {tuple(x0_shape)}, x {tuple(x_shape)}",
                    "pass the output of the previous layer as x",
                )
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(x_shape[1] * x0_shape[1], self.units),
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )

    def call(self, x0: Tensor, x: Tensor) -> Tensor:
        """Multiplies each vector of `x` with each of `x0`, then takes weighted sums."""
        products = ops.einsum("bhd,bfd->bdhf", x, x0)
        products = ops.reshape(products, (-1, x.shape[2], self.kernel.shape[0]))
        return ops.transpose(ops.matmul(products, self.kernel), (0, 2, 1))

    def compute_output_shape(self, x0_shape: Shape, x_shape: Shape) -> Shape:
        """Returns U vectors."""
        return (x_shape[0], self.units, x_shape[2])
