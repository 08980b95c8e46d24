"""A layer of the compressed interaction network (CIN)."""

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer
from tf_ctr.layers.interaction.checks import check_fields


@keras.saving.register_keras_serializable("tf_ctr")
class CompressedInteraction(Layer):
    """Weighted sums of all products of two sets of vectors, coordinate by coordinate.

    `y_u = sum_{h, f} W_{u, h, f} (x_h * x0_f)`.

    Source: xDeepFM (arXiv 1803.05170), section 3.2, Eq. 6, with the identity as
    activation, which the paper found best.

    Args:
        units: Number U of output vectors.
        kernel_regularizer: Regularizer of `W`. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x0: Field embeddings, `[B, F, D]`.
        x: Output of the layer before, `[B, H, D]`.

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

    def __init__(self, units, kernel_regularizer=None, **kwargs):
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x0_shape, x_shape):
        """Creates `W [H F, U]`."""
        check_fields(x0_shape)
        check_fields(x_shape)
        if x0_shape[-1] != x_shape[-1]:
            raise ValueError(
                explain(
                    "x0 and x of one embedding dim D",
                    f"x0 {tuple(x0_shape)}, x {tuple(x_shape)}",
                    "pass the output of the layer before as x",
                )
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(x_shape[1] * x0_shape[1], self.units),
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )

    def call(self, x0, x):
        """Multiplies every vector of `x` with every one of `x0`, then compresses."""
        products = ops.einsum("bhd,bfd->bdhf", x, x0)
        products = ops.reshape(products, (-1, x.shape[2], self.kernel.shape[0]))
        return ops.transpose(ops.matmul(products, self.kernel), (0, 2, 1))

    def compute_output_shape(self, x0_shape, x_shape):
        """Returns U vectors."""
        return (x_shape[0], self.units, x_shape[2])
