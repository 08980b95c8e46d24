"""Pooling of a multi-valued field to one vector."""

import keras
from keras import ops

from tf_ctr.errors import check_choice, explain
from tf_ctr.layers.core.layer import Layer

MODES = ("mean", "sum")


@keras.saving.register_keras_serializable("tf_ctr")
class MaskedPooling(Layer):
    """Mean or sum of the embeddings of a field's values, padding left out.

    An example without any value gets a zero vector, never a NaN.

    Source: AutoFT (arXiv 2106.04873), section 3.1: a multi-hot field is the mean
    of its value embeddings.

    Args:
        mode: `"mean"` or `"sum"`.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        embeddings: Value embeddings, `[B, T, D]`.
        ids: Value ids, `[B, T]`; 0 is padding.

    Output shape:
        `[B, D]`.

    Raises:
        ValueError: If `mode` is unknown or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import MaskedPooling
    >>> embeddings = np.array([[[2.0], [4.0], [9.0]]])
    >>> MaskedPooling()(embeddings, np.array([[5, 7, 0]])).numpy()
    array([[3.]], dtype=float32)
    """

    def __init__(self, mode="mean", **kwargs):
        super().__init__(**kwargs)
        check_choice("mode", mode, MODES)
        self.mode = mode
        self.supports_masking = True

    def build(self, embeddings_shape, ids_shape):
        """Checks that there is one embedding per id."""
        if len(ids_shape) != 2 or tuple(embeddings_shape[:-1]) != tuple(ids_shape):
            raise ValueError(
                explain(
                    "embeddings [B, T, D] and ids [B, T]",
                    f"{tuple(embeddings_shape)} and {tuple(ids_shape)}",
                    "pass the ids that the embeddings were looked up with",
                )
            )

    def call(self, embeddings, ids):
        """Pools over T."""
        mask = ops.cast(ops.not_equal(ids, 0), embeddings.dtype)
        total = ops.sum(embeddings * mask[..., None], axis=1)
        if self.mode == "sum":
            return total
        return total / ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1)

    def compute_mask(self, inputs, previous_mask=None):
        """Ends a Keras mask: T is gone."""
        return None

    def compute_output_shape(self, embeddings_shape, ids_shape):
        """Drops T."""
        return (embeddings_shape[0], embeddings_shape[2])
