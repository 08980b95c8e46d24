"""The domain-level attention of NATR: a gate between two domains' vectors."""

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class DomainGate(Layer):
    """Returns the weighted mean of a target and a source domain's vector.

    `g_0 own + g_1 transferred`, `g = softmax([own . w, transferred . w])`.

    Source: NATR (Gao et al., Cross-domain Recommendation Without Sharing
    User-relevant Data, WWW 2019), domain-level attention; a baseline of AutoFT
    (arXiv 2106.04873), section 4.

    Args:
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        own: Vectors of the target domain, `[B, D]`.
        transferred: Vectors of the source domain, of the same shape.

    Output shape:
        `[B, D]`.

    Raises:
        ValueError: If the two vectors do not have the same shape `[B, D]`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import DomainGate
    >>> DomainGate()(np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]])).numpy()
    array([[1., 2.]], dtype=float32)
    """

    def build(self, own_shape: Shape, transferred_shape: Shape) -> None:
        """Creates `w [D, 1]`."""
        if len(own_shape) != 2 or tuple(own_shape) != tuple(transferred_shape):
            raise ValueError(
                explain(
                    "two vectors of the same shape [B, D]",
                    f"own {tuple(own_shape)}, transferred {tuple(transferred_shape)}",
                    "give both domains the same embedding dim, and pool to one vector",
                )
            )
        self.kernel = self.add_weight(name="kernel", shape=(own_shape[-1], 1))

    def call(self, own: Tensor, transferred: Tensor) -> Tensor:
        """Returns the mean of the two vectors, weighted by their scores."""
        difference = ops.matmul(own - transferred, self.kernel)
        share = ops.sigmoid(difference)  # The softmax over two scores.
        return share * own + (1 - share) * transferred

    def compute_output_shape(self, own_shape: Shape, transferred_shape: Shape) -> Shape:
        """Returns the shape of the vectors."""
        return own_shape
