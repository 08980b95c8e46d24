"""The ids that choose between a frozen and a fine-tuned table."""

import keras
from keras import ops

from tf_ctr.layers.route_checks import check_decision


@keras.saving.register_keras_serializable("tf_ctr")
class RoutedIds(keras.layers.Layer):
    """Moves the ids of examples on the fine-tuned branch to the second table.

    All fields at once: what is to be done to the gates is done once.

    Args:
        decisions: Column of `gates` of each field.
        rows: Rows V of a table of each field's `TwinEmbedding`.
        **kwargs: `name` of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensors, one per field, `[B]` or `[B, T]`.
        gates: Output of a `GumbelRouter`, `[B, N]`; 1 takes the frozen table.

    Output shape:
        Those of `ids`.

    Raises:
        ValueError: If a decision is no column.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import RoutedIds
    >>> gates = np.array([[1.0], [0.0]])
    >>> RoutedIds(decisions=[0], rows=[10])([np.array([3, 3])], gates)[0].numpy()
    array([ 3, 13])
    """

    def __init__(self, decisions, rows, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.decisions = list(decisions)
        self.rows = list(rows)

    def build(self, ids_shape, gates_shape):
        """Checks the columns."""
        for decision in self.decisions:
            check_decision(decision, gates_shape)

    def call(self, ids, gates):
        """Adds V to the ids of the fine-tuned branch."""
        tuned = ops.unstack(ops.cast(gates <= 0.5, "int64"), axis=1)
        return [
            _moved(each, tuned[decision] * rows)
            for each, decision, rows in zip(ids, self.decisions, self.rows, strict=True)
        ]

    def compute_output_spec(self, ids, gates):
        """Returns what `ids` are."""
        return [keras.KerasTensor(each.shape, each.dtype) for each in ids]

    def get_config(self):
        """Returns the arguments of the layer."""
        return {
            **super().get_config(),
            "decisions": self.decisions,
            "rows": self.rows,
        }


def _moved(ids, offsets):
    """Adds one number per example to its ids."""
    offsets = ops.cast(offsets, ids.dtype)
    return ids + ops.reshape(offsets, (-1,) + (1,) * (len(ids.shape) - 1))
