"""The parameter transfer unit (PTU): a gated sum of two activations."""

from typing import Any, Literal, get_args

import keras
from keras import ops

from tf_ctr.errors import check_choice, explain
from tf_ctr.layers.core.layer import Activation, Layer, Shape, Tensor

Start = Literal["exact", "random"]


@keras.saving.register_keras_serializable("tf_ctr")
class TransferUnit(Layer):
    """Mixes a source and a target activation with the gates of a GRU.

    `r = sigmoid(s A_r + t B_r)`, `c = f(s A_c + (r * t) B_c)`,
    `u = sigmoid(s A_u + t B_u)`; the output is `t + u * (c - t)`.

    The exact start is the mean of `s` and `t`: with `A_c = I` and all other kernels
    zero, `c = s` and `u = 1/2`. If both networks start equal, the output is exactly
    `t`, and all parts learn, which they would not with a closed gate. This requires an
    `f` that leaves `s` unchanged, such as the identity, or ReLU after a ReLU.

    Source: the PTU baseline of AutoFT (arXiv 2106.04873), section 4, which describes it
    as "a weighted sum of the activations from both networks". The gates are our reading
    of the method, whose own paper we did not have; the exact start is ours.

    Args:
        gated: Whether the weights depend on the example, through the gates above.
            Otherwise the output is `t + w * (s - t)` with one learned weight per unit,
            `w = sigmoid(v)`, and `v = 0` at the start.
        activation: Activation `f` of the candidate `c`.
        start: `"exact"` as above, or `"random"` for Glorot normal kernels.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        source: Activation of the source, `[B, ..., N]`.
        target: Activation of the target, of the same shape.

    Output shape:
        The shape of `target`.

    Raises:
        ValueError: If the shapes differ, or `start` is unknown.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import TransferUnit
    >>> TransferUnit()(np.array([[3.0, 5.0]]), np.array([[1.0, 5.0]])).numpy()
    array([[2., 5.]], dtype=float32)
    """

    def __init__(
        self,
        gated: bool = True,
        activation: Activation = "linear",
        start: Start = "exact",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("start", start, get_args(Start))
        self.gated = gated
        self.activation = keras.activations.get(activation)
        self.start = start
        self.supports_masking = True

    def build(self, source_shape: Shape, target_shape: Shape) -> None:
        """Creates the kernels `[N, N]`, or `v [N]`."""
        if tuple(source_shape) != tuple(target_shape):
            raise ValueError(
                explain(
                    "two activations of the same shape",
                    f"source {tuple(source_shape)}, target {tuple(target_shape)}",
                    "build both networks with the same sizes",
                )
            )
        width = source_shape[-1]
        if not self.gated:
            self._weight = self.add_weight(
                name="weight", shape=(width,), initializer="zeros"
            )
            return
        self._kernels = {
            name: [
                self.add_weight(
                    name=f"{name}_{side}_kernel",
                    shape=(width, width),
                    initializer=self._initializer(name, side),
                )
                for side in ("source", "target")
            ]
            for name in ("reset", "candidate", "update")
        }

    def _initializer(self, name, side):
        if self.start == "random":
            return "glorot_normal"
        return "identity" if (name, side) == ("candidate", "source") else "zeros"

    def call(self, source: Tensor, target: Tensor) -> Tensor:
        """Mixes the activations."""
        if not self.gated:
            return target + ops.sigmoid(self._weight) * (source - target)
        reset = ops.sigmoid(self._sum("reset", source, target))
        candidate = self.activation(self._sum("candidate", source, reset * target))
        update = ops.sigmoid(self._sum("update", source, target))
        return target + update * (candidate - target)

    def _sum(self, name, source, target):
        from_source, from_target = self._kernels[name]
        return ops.matmul(source, from_source) + ops.matmul(target, from_target)

    def compute_output_shape(self, source_shape: Shape, target_shape: Shape) -> Shape:
        """Returns the shape of the activations."""
        return target_shape
