"""An embedding table whose step time does not grow with its number of rows."""

from typing import Any

import keras
import tensorflow as tf

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Initializer, Layer, Shape, Tensor
from tf_ctr.replicas import own_copy


@keras.saving.register_keras_serializable("tf_ctr")
class Embedding(Layer):
    """Looks up rows of a table without reading the whole table.

    `keras.layers.Embedding` reads its whole variable before it gathers. Once a sparse
    update has touched the variable, that read is a copy, so a step takes time
    proportional to the vocabulary. This layer gathers from the resource variable:
    the step time stays flat, and the gradient is a `tf.IndexedSlices`. Train it with
    `tf_ctr.optimizers.SparseAdam` or `SparseAdagrad`.

    XLA cannot compile the sparse update (`tf.unique` has no static shape), so the
    layer declares `supports_jit = False`, and `jit_compile="auto"` stays off.

    Args:
        input_dim: Rows of the table.
        output_dim: Embedding dim D.
        embeddings_initializer: Initializer of the table. Defaults to N(0, 1e-4^2), as
            in DeepCTR and FuxiCTR; it beat Keras's uniform default on MovieLens-1M.
        l2: Weight of the penalty `l2 / B * sum(rows ** 2)` over the rows in the batch.
            Unlike a Keras regularizer it never reads the whole table, so the gradient
            stays sparse. A frozen layer adds no penalty.
        ids: The fingerprint of the ids that the rows stand for, from
            `Schema.fingerprints`. The layer only keeps it, so that scoring with another
            schema is refused.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of any shape, values in `[0, input_dim)`.

    Output shape:
        `ids.shape + (D,)`.

    Raises:
        ValueError: If a size is not positive, or `l2` is negative.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import Embedding
    >>> table = Embedding(3, 2, embeddings_initializer="ones")
    >>> table(np.array([0, 2])).shape
    TensorShape([2, 2])
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Initializer | None = None,
        l2: float = 0.0,
        ids: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Autocasting would read the whole table in order to cast it.
        super().__init__(autocast=False, **kwargs)
        check_positive(input_dim=input_dim, output_dim=output_dim)
        if l2 < 0:
            raise ValueError(
                explain("an l2 of at least 0", l2, "pass 0 for no penalty")
            )
        self.input_dim = input_dim
        self.output_dim = output_dim
        if embeddings_initializer is None:
            embeddings_initializer = keras.initializers.RandomNormal(stddev=1e-4)
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.l2 = l2
        self.ids = ids
        self.supports_jit = False

    def build(self, input_shape: Shape) -> None:
        """Creates the table, always float32."""
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            dtype="float32",
        )

    def call(self, ids: Tensor) -> Tensor:
        """Gathers the rows of `ids`."""
        rows = tf.nn.embedding_lookup(own_copy(self.embeddings), ids)
        if self.l2 and self.trainable:
            batch_size = tf.cast(tf.shape(rows)[0], rows.dtype)
            self.add_loss(self.l2 * tf.reduce_sum(tf.square(rows)) / batch_size)
        return tf.cast(rows, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Appends D to the shape of the ids."""
        return (*input_shape, self.output_dim)
