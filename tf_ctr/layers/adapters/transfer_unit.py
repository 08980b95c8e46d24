"""The gated sum of a source's and a target's activation."""

import keras
from keras import ops

from tf_ctr.errors import check_choice, explain
from tf_ctr.layers.core.layer import Layer

STARTS = ("exact", "random")


@keras.saving.register_keras_serializable("tf_ctr")
class TransferUnit(Layer):
    """A parameter transfer unit (PTU), with the gates of a GRU.

    `r = sigmoid(s A_r + t B_r)`, `c = f(s A_c + (r * t) B_c)`,
    `u = sigmoid(s A_u + t B_u)`; the output is `t + u * (c - t)`.

    It starts as the mean of `s` and `t`: `A_c = I` and all else 0 make `c = s` and
    `u = 1/2`. Where both networks start equal, the output is then exactly `t`, and
    all parts learn, unlike with a gate that starts closed. For this `f` must leave
    `s` as it is: linear always does, ReLU does after a ReLU.

    Source: the PTU baseline of AutoFT (arXiv 2106.04873), section 4, which says that
    it is "a weighted sum of the activations from both networks". The gates are our
    reading of the method; its own paper was not at hand. The start is ours.

    Args:
        gated: Whether the weights depend on the example by the gates above; without
            them it is the weighted sum `t + w * (s - t)` with one learned weight
            for each unit, `w = sigmoid(v)`, `v = 0` at the start.
        activation: Activation `f` of the candidate `c`.
        start: `"exact"` as above, or `"random"`: Glorot normal kernels.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        source: Activation of the source, `[B, ..., N]`.
        target: Activation of the target, same shape.

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

    def __init__(self, gated=True, activation="linear", start="exact", **kwargs):
        super().__init__(**kwargs)
        check_choice("start", start, STARTS)
        self.gated = gated
        self.activation = keras.activations.get(activation)
        self.start = start
        self.supports_masking = True

    def build(self, source_shape, target_shape):
        """Creates the kernels `[N, N]`, or `v [N]`."""
        if tuple(source_shape) != tuple(target_shape):
            raise ValueError(
                explain(
                    "two activations of one shape",
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

    def call(self, source, target):
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

    def compute_output_shape(self, source_shape, target_shape):
        """Returns the shape of the activations."""
        return target_shape
