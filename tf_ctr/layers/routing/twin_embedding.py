"""A frozen and a fine-tuned embedding table in one, for inference."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_ctr.layers.core.embedding import Embedding
from tf_ctr.layers.core.layer import Layer, Shape, Tensor
from tf_ctr.layers.routing.route import check_decision


@keras.saving.register_keras_serializable("tf_ctr")
class TwinEmbedding(Embedding):
    """Holds two tables of V rows each in one of 2 V rows, the frozen one first.

    One gather then reads each row from either table: `id` is the row in the frozen
    table, `id + V` the row in the fine-tuned one. `RoutedIds` makes such ids.

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

    def build(self, input_shape: Shape) -> None:
        """Creates the table, always float32."""
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(2 * self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            dtype="float32",
        )


@keras.saving.register_keras_serializable("tf_ctr")
class RoutedIds(Layer):
    """Moves the ids of examples on the fine-tuned branch to the second table.

    It takes all fields at once, so that the gates are split into columns only once.

    Args:
        decisions: For each field, its column of `gates`.
        rows: For each field, the rows V of one table of its `TwinEmbedding`.
        **kwargs: `name` of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensors, one per field, `[B]` or `[B, T]`.
        gates: Output of a `GumbelRouter`, `[B, N]`; 1 takes the frozen table.

    Output shape:
        The shapes of `ids`.

    Raises:
        ValueError: If `gates` lacks the column of a decision.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import RoutedIds
    >>> gates = np.array([[1.0], [0.0]])
    >>> RoutedIds(decisions=[0], rows=[10])([np.array([3, 3])], gates)[0].numpy()
    array([ 3, 13])
    """

    def __init__(
        self, decisions: Sequence[int], rows: Sequence[int], **kwargs: Any
    ) -> None:
        # Autocasting would turn the gates, and any float ids, into half precision.
        super().__init__(autocast=False, **kwargs)
        self.decisions = list(decisions)
        self.rows = list(rows)

    def build(self, ids_shape: list[Shape], gates_shape: Shape) -> None:
        """Checks the columns."""
        for decision in self.decisions:
            check_decision(decision, gates_shape)

    def call(self, ids: list[Tensor], gates: Tensor) -> list[Tensor]:
        """Adds V to the ids of the fine-tuned branch."""
        tuned = ops.unstack(ops.cast(gates <= 0.5, "int64"), axis=1)
        return [
            _moved(each, tuned[decision] * rows)
            for each, decision, rows in zip(ids, self.decisions, self.rows, strict=True)
        ]

    def compute_output_spec(
        self, ids: list[keras.KerasTensor], gates: keras.KerasTensor
    ) -> list[keras.KerasTensor]:
        """Returns the shapes and dtypes of `ids`."""
        # Not compute_output_shape, from which Keras would infer float outputs.
        return [keras.KerasTensor(each.shape, each.dtype) for each in ids]


def _moved(ids, offsets):
    """Adds to the ids of each example the offset of that example."""
    offsets = ops.cast(offsets, ids.dtype)
    return ids + ops.reshape(offsets, (-1,) + (1,) * (len(ids.shape) - 1))
