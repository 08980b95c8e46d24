"""The switch between the frozen and the fine-tuned branch of a site."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class Route(Layer):
    """Takes each example from the frozen or from the fine-tuned branch.

    In training it computes `g * frozen + (1 - g) * tuned` with
    `g = gates[:, decision]`, so that the gradient reaches the gate; at inference it
    selects a branch.

    Source: AutoFT (arXiv 2106.04873), section 3.2 (field-wise and layer-wise policy).

    Args:
        decision: Column of `gates` for this site.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        frozen: Output of the frozen branch, `[B, ...]`.
        tuned: Output of the fine-tuned branch, of the same shape.
        gates: Output of a `GumbelRouter`, `[B, N]`; 1 takes `frozen`.
        training: Whether to mix the branches, for the gradient of the gate.

    Output shape:
        The shape of `frozen`.

    Raises:
        ValueError: If the branches differ in shape, or `gates` has no such column.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import Route
    >>> frozen, tuned = np.array([[1.0], [1.0]]), np.array([[2.0], [2.0]])
    >>> Route(decision=0)(frozen, tuned, np.array([[1.0], [0.0]])).numpy()
    array([[1.],
           [2.]], dtype=float32)
    """

    def __init__(self, decision: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decision = decision
        self.supports_masking = True

    def build(
        self, frozen_shape: Shape, tuned_shape: Shape, gates_shape: Shape
    ) -> None:
        """Checks the shapes."""
        if tuple(frozen_shape) != tuple(tuned_shape):
            raise ValueError(
                explain(
                    "two branches of the same shape",
                    f"frozen {tuple(frozen_shape)}, tuned {tuple(tuned_shape)}",
                    "route between two copies of the same layer",
                )
            )
        check_decision(self.decision, gates_shape)

    def call(
        self, frozen: Tensor, tuned: Tensor, gates: Tensor, training: bool | None = None
    ) -> Tensor:
        """Mixes in training, selects at inference."""
        gate = gates[:, self.decision]
        gate = ops.reshape(gate, (-1,) + (1,) * (len(frozen.shape) - 1))
        if not training:
            # A product would pass on a NaN of the branch that is not taken.
            return ops.where(gate > 0.5, frozen, tuned)
        gate = ops.cast(gate, frozen.dtype)
        return gate * frozen + (1 - gate) * tuned

    def compute_mask(
        self, inputs: Tensor, previous_mask: Tensor | None = None
    ) -> Tensor | None:
        """Keeps the Keras mask, which both branches share."""
        return previous_mask

    def compute_output_shape(
        self, frozen_shape: Shape, tuned_shape: Shape, gates_shape: Shape
    ) -> Shape:
        """Returns the shape of the branches."""
        return frozen_shape


def check_decision(decision: int, gates_shape: Shape) -> None:
    """Raises unless the gates have a column `decision`.

    Args:
        decision: The column of a site.
        gates_shape: Shape `[B, N]` of the gates.

    Raises:
        ValueError: If they have fewer columns.
    """
    if not 0 <= decision < gates_shape[-1]:
        raise ValueError(
            explain(
                f"a decision in [0, {gates_shape[-1]})",
                decision,
                "build the router with more decisions",
            )
        )
