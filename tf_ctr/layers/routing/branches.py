"""Splits the rows of a batch by their branch, and merges them again."""

from typing import Any

import keras
import tensorflow as tf

from tf_ctr.layers.core.layer import Layer, Shape, Tensor
from tf_ctr.layers.routing.route import check_decision


@keras.saving.register_keras_serializable("tf_ctr")
class BranchRows(Layer):
    """Gathers the rows of a batch that a router sends to one branch.

    Together with `MergeBranches` it replaces a `Route` at inference: each example runs
    through one branch only, and a branch that no example takes runs on no rows. Use it
    for inference with TensorFlow only: the number of rows depends on the data, which
    neither XLA nor JAX can compile, and no gradient reaches the gates.

    Args:
        decision: Column of `gates` for this site.
        frozen: Whether to gather the rows of the frozen branch.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        x: An input of the branch, `[B, ...]`.
        gates: Output of a `GumbelRouter`, `[B, N]`; 1 takes the frozen branch.

    Output shape:
        `[B', ...]`: the rows of `x` that take the branch, in the order of the batch.

    Raises:
        ValueError: If `gates` has no column `decision`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import BranchRows
    >>> x, gates = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [0.0], [1.0]])
    >>> BranchRows(decision=0, frozen=True)(x, gates).numpy()
    array([[1.],
           [3.]], dtype=float32)
    """

    def __init__(self, decision: int, frozen: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decision = decision
        self.frozen = frozen
        self.supports_jit = False

    def build(self, x_shape: Shape, gates_shape: Shape) -> None:
        """Checks the column."""
        check_decision(self.decision, gates_shape)

    def call(self, x: Tensor, gates: Tensor) -> Tensor:
        """Gathers the rows that take the branch."""
        taken = (gates[:, self.decision] > 0.5) == self.frozen
        return tf.gather(x, tf.where(taken)[:, 0])

    def compute_output_shape(self, x_shape: Shape, gates_shape: Shape) -> Shape:
        """Returns the shape of `x` with any number of rows."""
        return (None, *x_shape[1:])


@keras.saving.register_keras_serializable("tf_ctr")
class MergeBranches(Layer):
    """Puts the rows of two `BranchRows` back into the order of the batch.

    For inference with TensorFlow; see `BranchRows`.

    Args:
        decision: Column of `gates` for this site.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        frozen: Output of the frozen branch on its rows, `[B', ...]`.
        tuned: Output of the fine-tuned branch on the other rows, `[B - B', ...]`.
        gates: Output of a `GumbelRouter`, `[B, N]`; 1 takes the frozen branch.

    Output shape:
        `[B, ...]`.

    Raises:
        ValueError: If `gates` has no column `decision`.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import MergeBranches
    >>> frozen, tuned = np.array([[1.0], [3.0]]), np.array([[2.0]])
    >>> gates = np.array([[1.0], [0.0], [1.0]])
    >>> MergeBranches(decision=0)(frozen, tuned, gates).numpy()
    array([[1.],
           [2.],
           [3.]], dtype=float32)
    """

    def __init__(self, decision: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decision = decision
        self.supports_jit = False

    def build(
        self, frozen_shape: Shape, tuned_shape: Shape, gates_shape: Shape
    ) -> None:
        """Checks the column."""
        check_decision(self.decision, gates_shape)

    def call(self, frozen: Tensor, tuned: Tensor, gates: Tensor) -> Tensor:
        """Writes every row to its place."""
        branch = tf.cast(gates[:, self.decision] > 0.5, tf.int32)
        # dynamic_partition returns class 0 first: the fine-tuned rows.
        places = tf.dynamic_partition(tf.range(tf.size(branch)), branch, 2)
        return tf.dynamic_stitch(places, [tuned, frozen])

    def compute_output_shape(
        self, frozen_shape: Shape, tuned_shape: Shape, gates_shape: Shape
    ) -> Shape:
        """Returns the shape of a branch, with all rows of the batch."""
        return (gates_shape[0], *frozen_shape[1:])
