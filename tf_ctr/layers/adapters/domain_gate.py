"""How much of a vector comes from the source domain."""

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer


@keras.saving.register_keras_serializable("tf_ctr")
class DomainGate(Layer):
    """Weighted mean of what the target and the source domain know.

    `g_0 own + g_1 transferred`, `g = softmax([own . w, transferred . w])`.

    Source: NATR (Gao et al., Cross-domain Recommendation Without Sharing
    User-relevant Data, WWW 2019), domain-level attention; a baseline of AutoFT
    (arXiv 2106.04873), section 4.

    Args:
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        own: Vectors of the target domain, `[B, D]`.
        transferred: Vectors of the source domain, same shape.

    Output shape:
        `[B, D]`.

    Raises:
        ValueError: If the two are not of one shape `[B, D]`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import DomainGate
    >>> DomainGate()(np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]])).numpy()
    array([[1., 2.]], dtype=float32)
    """

    def build(self, own_shape, transferred_shape):
        """Creates `w [D, 1]`."""
        if len(own_shape) != 2 or tuple(own_shape) != tuple(transferred_shape):
            raise ValueError(
                explain(
                    "two vectors of one shape [B, D]",
                    f"own {tuple(own_shape)}, transferred {tuple(transferred_shape)}",
                    "give both domains one embedding dim, and pool to one vector",
                )
            )
        self.kernel = self.add_weight(name="kernel", shape=(own_shape[-1], 1))

    def call(self, own, transferred):
        """Weighs the two against each other."""
        difference = ops.matmul(own - transferred, self.kernel)
        share = ops.sigmoid(difference)  # A softmax over two.
        return share * own + (1 - share) * transferred

    def compute_output_shape(self, own_shape, transferred_shape):
        """Returns the shape of the vectors."""
        return own_shape
