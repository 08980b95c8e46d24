"""The rows of a batch that take one branch."""

import keras
import tensorflow as tf

from tf_ctr.layers.route_checks import check_decision


@keras.saving.register_keras_serializable("tf_ctr")
class BranchRows(keras.layers.Layer):
    """Gathers the rows of a batch that a router sends to one branch.

    With `MergeBranches` it stands for a `Route` at inference: each example runs
    through one branch only, and a branch that no example takes runs on no rows. For
    inference with TensorFlow: the number of rows depends on the data, which neither
    XLA nor JAX can compile, and no gradient reaches the gates.

    Args:
        decision: Column of `gates` that decides for this site.
        frozen: Whether to gather the rows of the frozen branch.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        x: An input of the branch, `[B, ...]`.
        gates: Output of a `GumbelRouter`, `[B, N]`; 1 takes the frozen branch.

    Output shape:
        The shape of `x` with fewer rows, in their order.

    Raises:
        ValueError: If `decision` is no column.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import BranchRows
    >>> x, gates = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [0.0], [1.0]])
    >>> BranchRows(decision=0, frozen=True)(x, gates).numpy()
    array([[1.],
           [3.]], dtype=float32)
    """

    def __init__(self, decision, frozen, **kwargs):
        super().__init__(**kwargs)
        self.decision = decision
        self.frozen = frozen
        self.supports_jit = False

    def build(self, x_shape, gates_shape):
        """Checks the column."""
        check_decision(self.decision, gates_shape)

    def call(self, x, gates):
        """Gathers the rows."""
        taken = (gates[:, self.decision] > 0.5) == self.frozen
        return tf.gather(x, tf.where(taken)[:, 0])

    def compute_output_shape(self, x_shape, gates_shape):
        """Returns the shape of `x` with any number of rows."""
        return (None, *x_shape[1:])

    def get_config(self):
        """Returns the arguments of the layer."""
        return {
            **super().get_config(),
            "decision": self.decision,
            "frozen": self.frozen,
        }
