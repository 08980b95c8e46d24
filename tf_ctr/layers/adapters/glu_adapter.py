"""The gated adapter of CTNet, from a source activation to a target layer."""

from typing import Any, Literal, get_args

import keras
from keras import ops

from tf_ctr.errors import check_choice, check_positive
from tf_ctr.layers.core.layer import Layer, Shape, Tensor

Start = Literal["exact", "small"]


@keras.saving.register_keras_serializable("tf_ctr")
class GLUAdapter(Layer):
    """Applies a gated linear unit without biases, `(a U1) * sigmoid(a U2)`.

    Source: CTNet (arXiv 2208.05728), Eq. 5. The paper starts from "very small values"
    and states no scale; 1e-3 and the exact start are ours.

    Args:
        units: Output width N.
        gated: Whether there is a gate. Without it the adapter is linear, `a U1`, as in
            the paper's ablation "w/o GLU".
        start: `"exact"` starts with `U1 = 0`, so the output is exactly 0 until it is
            trained; `"small"` draws `U1` from N(0, 1e-3^2), as `U2` always is.
        rank: Rank K of `U1` and `U2`, which are then products `[M, K] [K, N]`; the
            second factor starts as above. Defaults to full rank.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        a: Activation of the source, `[B, ..., M]`.

    Output shape:
        `[B, ..., N]`.

    Raises:
        ValueError: If a size is not positive, or `start` is unknown.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import GLUAdapter
    >>> GLUAdapter(2)(np.array([[1.0, 2.0, 3.0]])).numpy()
    array([[0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        gated: bool = True,
        start: Start = "exact",
        rank: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_adapter(units, start, rank)
        self.units = units
        self.gated = gated
        self.start = start
        self.rank = rank
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Creates the factors of `U1` and of `U2`."""
        width = input_shape[-1]
        self._value = self._add_map("value", width, start_initializer(self.start))
        if self.gated:
            self._gate = self._add_map("gate", width, start_initializer("small"))

    def _add_map(self, name, width, initializer):
        """Creates `U [M, N]`, or its factors `[M, K]` and `[K, N]`."""
        factors = []
        if self.rank is not None:
            down = (width, self.rank)
            factors.append(self.add_weight(name=f"{name}_down_kernel", shape=down))
            width = self.rank
        kernel = self.add_weight(
            name=f"{name}_kernel", shape=(width, self.units), initializer=initializer
        )
        return [*factors, kernel]

    def call(self, a: Tensor) -> Tensor:
        """Maps `a`, then multiplies the result with its gate."""
        value = _product(a, self._value)
        if not self.gated:
            return value
        return value * ops.sigmoid(_product(a, self._gate))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Replaces M with N."""
        return (*input_shape[:-1], self.units)


def start_initializer(start: Start) -> keras.initializers.Initializer:
    """Returns the initializer of the last kernel of an adapter."""
    if start == "exact":
        return keras.initializers.Zeros()
    return keras.initializers.RandomNormal(stddev=1e-3)


def check_adapter(units: int, start: Start, rank: int | None) -> None:
    """Raises unless the arguments of an adapter are valid.

    Raises:
        ValueError: If a size is not positive, or `start` is unknown.
    """
    check_positive(units=units)
    if rank is not None:
        check_positive(rank=rank)
    check_choice("start", start, get_args(Start))


def _product(a, kernels):
    for kernel in kernels:
        a = ops.matmul(a, kernel)
    return a
