"""Pools the embeddings of a field with several values into one vector."""

from typing import Any, Literal, get_args

import keras
from keras import ops

from tf_ctr.errors import check_choice, explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor

Mode = Literal["mean", "sum"]


@keras.saving.register_keras_serializable("tf_ctr")
class MaskedPooling(Layer):
    """Returns the mean or the sum of the embeddings of a field's values.

    Padding does not count. An example without any value gets a zero vector, not NaN.

    Source: AutoFT (arXiv 2106.04873), section 3.1: a multi-hot field is the mean
    of its value embeddings.

    Args:
        mode: `"mean"` or `"sum"`.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        embeddings: Value embeddings, `[B, T, D]`.
        ids: Value ids, `[B, T]`; 0 is padding.
        weights: Weights of the values, at least 0, `[B, T]`; `None` for equal ones. The
            mean is divided by their sum.

    Output shape:
        `[B, D]`.

    Raises:
        ValueError: If `mode` is unknown, or there is not one embedding per id.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import MaskedPooling
    >>> embeddings = np.array([[[2.0], [4.0], [9.0]]])
    >>> MaskedPooling()(embeddings, np.array([[5, 7, 0]])).numpy()
    array([[3.]], dtype=float32)
    """

    def __init__(self, mode: Mode = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_choice("mode", mode, get_args(Mode))
        self.mode = mode
        self.supports_masking = True

    def build(
        self,
        embeddings_shape: Shape,
        ids_shape: Shape,
        weights_shape: Shape | None = None,
    ) -> None:
        """Checks that there is one embedding per id."""
        if len(ids_shape) != 2 or tuple(embeddings_shape[:-1]) != tuple(ids_shape):
            raise ValueError(
                explain(
                    "embeddings [B, T, D] and ids [B, T]",
                    f"{tuple(embeddings_shape)} and {tuple(ids_shape)}",
                    "pass the ids that the embeddings were looked up with",
                )
            )

    def call(
        self, embeddings: Tensor, ids: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Pools over T."""
        mask = ops.cast(ops.not_equal(ids, 0), embeddings.dtype)
        if weights is not None:
            mask = mask * ops.cast(weights, embeddings.dtype)
        total = ops.sum(embeddings * mask[..., None], axis=1)
        if self.mode == "sum":
            return total
        sums = ops.sum(mask, axis=1, keepdims=True)
        # So that an example without a value is 0 / 1 and not 0 / 0.
        return total / ops.where(sums == 0, ops.ones_like(sums), sums)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> None:
        """Drops the Keras mask, because the output has no axis T."""
        return None

    def compute_output_shape(
        self,
        embeddings_shape: Shape,
        ids_shape: Shape,
        weights_shape: Shape | None = None,
    ) -> Shape:
        """Drops T."""
        return (embeddings_shape[0], embeddings_shape[2])
