"""A frozen and a fine-tuned embedding table in one."""

import keras

from tf_ctr.layers.embedding import Embedding


@keras.saving.register_keras_serializable("tf_ctr")
class TwinEmbedding(Embedding):
    """Two tables of V rows in one of 2 V, the frozen one first.

    One gather takes every row from either table: `id` is its row in the frozen,
    `id + V` in the fine-tuned one; `RoutedIds` makes such ids.

    Args:
        input_dim: Rows V of each table.
        output_dim: Embedding dim D.
        embeddings_initializer: See `tf_ctr.layers.Embedding`.
        l2: See `tf_ctr.layers.Embedding`.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of any shape, values in `[0, 2 V)`.

    Output shape:
        `ids.shape + (D,)`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import TwinEmbedding
    >>> tables = TwinEmbedding(2, 1)
    >>> tables.build((None,))
    >>> tables.set_weights([np.array([[1.0], [2.0], [3.0], [4.0]])])
    >>> tables(np.array([1, 1 + 2])).numpy()
    array([[2.],
           [4.]], dtype=float32)
    """

    def build(self, input_shape):
        """Creates the table, always float32."""
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(2 * self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            dtype="float32",
        )
