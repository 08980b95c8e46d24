"""Bilinear products of pairs of fields."""

import itertools
from typing import Any, Literal, get_args

import keras
from keras import ops

from tf_ctr.errors import check_choice
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.interaction.checks import check_fields

# The default first, as the error recommends it.
Mode = Literal["interaction", "each", "all"]


@keras.saving.register_keras_serializable("tf_ctr")
class BilinearInteraction(Layer):
    """Computes the vector `(v_i W) * v_j` for every pair of fields `i < j`.

    Source: FiBiNET (arXiv 1905.09433), section 3.4.

    Args:
        mode: Which pairs share a `W`: `"interaction"` none of them, `"each"` those
            with the same first field, `"all"` all of them.
        kernel_regularizer: Regularizer of `W`. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Field embeddings, `[B, F, D]`.

    Output shape:
        `[B, F (F - 1) / 2, D]`, the pairs in the order (0, 1), (0, 2), ...

    Raises:
        ValueError: If `mode` is unknown, or there are fewer than two fields.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import BilinearInteraction
    >>> BilinearInteraction()(np.ones((2, 4, 3))).shape
    TensorShape([2, 6, 3])
    """

    def __init__(
        self,
        mode: Mode = "interaction",
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("mode", mode, get_args(Mode))
        self.mode = mode
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates `W [1, D, D]`, `[F - 1, D, D]` or `[pairs, D, D]`."""
        check_fields(input_shape, at_least=2)
        fields, width = input_shape[1:]
        pairs = itertools.combinations(range(fields), 2)
        self._first, self._second = zip(*pairs, strict=True)
        sizes = {"all": 1, "each": fields - 1, "interaction": len(self._first)}
        matrices = sizes[self.mode]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(matrices, width, width),
            # Glorot normal for each matrix: Keras counts the stack as one kernel whose
            # fans are `matrices` times larger, which the scale undoes.
            initializer=keras.initializers.VarianceScaling(
                scale=matrices, mode="fan_avg", distribution="truncated_normal"
            ),
            regularizer=self.kernel_regularizer,
        )

    def call(self, x: Tensor) -> Tensor:
        """Multiplies the pairs."""
        second = ops.take(x, self._second, axis=1)
        if self.mode == "interaction":
            return self._product(ops.take(x, self._first, axis=1)) * second
        return ops.take(self._product(x[:, :-1]), self._first, axis=1) * second

    def _product(self, x):
        """Multiplies vector `i` with its matrix, or with the only one."""
        if self.mode == "all":
            return ops.matmul(x, self.kernel[0])
        return ops.einsum("bfd,fde->bfe", x, self.kernel)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns a vector per pair."""
        batch_size, fields, width = input_shape
        return (batch_size, fields * (fields - 1) // 2, width)
