"""The switch between a frozen and a fine-tuned branch."""

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer


@keras.saving.register_keras_serializable("tf_ctr")
class Route(Layer):
    """Takes each example from the frozen or from the fine-tuned branch.

    `g * frozen + (1 - g) * tuned`, `g = gates[:, decision]`, in training, so that
    the gradient reaches the gate; a plain selection at inference.

    Source: AutoFT (arXiv 2106.04873), section 3.2 (field-wise and layer-wise
    policy).

    Args:
        decision: Column of `gates` that decides for this site.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        frozen: Output of the frozen branch, `[B, ...]`.
        tuned: Output of the fine-tuned branch, same shape.
        gates: Output of a `GumbelRouter`, `[B, N]`; 1 takes `frozen`.
        training: Whether the gate needs a gradient.

    Output shape:
        The shape of `frozen`.

    Raises:
        ValueError: If the branches differ in shape, or `decision` is no column.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import Route
    >>> frozen, tuned = np.array([[1.0], [1.0]]), np.array([[2.0], [2.0]])
    >>> Route(decision=0)(frozen, tuned, np.array([[1.0], [0.0]])).numpy()
    array([[1.],
           [2.]], dtype=float32)
    """

    def __init__(self, decision, **kwargs):
        super().__init__(**kwargs)
        self.decision = decision
        self.supports_masking = True

    def build(self, frozen_shape, tuned_shape, gates_shape):
        """Checks the shapes."""
        if tuple(frozen_shape) != tuple(tuned_shape):
            raise ValueError(
                explain(
                    "two branches of one shape",
                    f"frozen {tuple(frozen_shape)}, tuned {tuple(tuned_shape)}",
                    "route between two copies of the same layer",
                )
            )
        check_decision(self.decision, gates_shape)

    def call(self, frozen, tuned, gates, training=None):
        """Mixes in training, selects at inference."""
        gate = gates[:, self.decision]
        gate = ops.reshape(gate, (-1,) + (1,) * (len(frozen.shape) - 1))
        if not training:
            return ops.where(gate > 0.5, frozen, tuned)
        gate = ops.cast(gate, frozen.dtype)
        return gate * frozen + (1 - gate) * tuned

    def compute_mask(self, inputs, previous_mask=None):
        """Passes the mask of the frozen branch on; both branches share it."""
        return previous_mask

    def compute_output_shape(self, frozen_shape, tuned_shape, gates_shape):
        """Returns the shape of the branches."""
        return frozen_shape


def check_decision(decision, gates_shape):
    """Raises unless `decision` is a column of the gates.

    Args:
        decision: The column.
        gates_shape: Shape `[B, N]` of the gates.

    Raises:
        ValueError: If it is none.
    """
    if not 0 <= decision < gates_shape[-1]:
        raise ValueError(
            explain(
                f"a decision in [0, {gates_shape[-1]})",
                decision,
                "build the router with more decisions",
            )
        )
