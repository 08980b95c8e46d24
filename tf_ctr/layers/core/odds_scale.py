"""Scales the odds of a probability."""

from typing import Any

import keras

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class OddsScale(Layer):
    """Multiplies the odds of a probability: `f p / (1 - p + f p)`.

    It adds `log(f)` to the logit. The layer has no weights.
    `tf_ctr.inference.calibrate` ends a model with it.

    Args:
        factor: The factor f, above 0.
        **kwargs: As in `keras.layers.Layer`.

    Raises:
        ValueError: If `factor` is not a finite number above 0.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import OddsScale
    >>> half = np.array([0.5], "float32")  # The odds are 1, and become 1 / 3.
    >>> OddsScale(1 / 3)(half).numpy()
    array([0.25], dtype=float32)
    """

    def __init__(self, factor: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 < factor < float("inf"):
            raise ValueError(
                explain("a finite `factor` above 0", factor, "pass factor=0.1")
            )
        self.factor = float(factor)

    def call(self, inputs: Tensor) -> Tensor:
        """Returns the scaled probabilities, in the shape of `inputs`."""
        scaled = self.factor * inputs
        return scaled / (1 - inputs + scaled)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the inputs."""
        return input_shape
