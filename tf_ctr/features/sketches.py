"""What is kept of a stream of numbers."""

import dataclasses

import keras
import numpy as np
from sklearn.preprocessing import StandardScaler


class Moments:
    """Mean and standard deviation of a stream."""

    def __init__(self):
        # Merges chunks without cancellation, and takes 1 for a zero deviation.
        self._scaler = StandardScaler()

    def add(self, values: np.ndarray):
        """Takes in some more numbers, float64 `[n]`."""
        self._scaler.partial_fit(values[:, np.newaxis])

    def complete(self, field):
        """Returns a copy of `field` with the moments that it leaves open."""
        mean, std = self._scaler.mean_[0].item(), self._scaler.scale_[0].item()
        mean = mean if field.mean is None else field.mean
        std = std if field.std is None else field.std
        return dataclasses.replace(field, mean=mean, std=std)


class Quantiles:
    """Approximate quantiles of a stream.

    Args:
        num_bins: The number of bins wanted; ranks are kept ten times finer.
    """

    def __init__(self, num_bins: int):
        self._sketch = keras.layers.Discretization(
            num_bins=num_bins, epsilon=0.1 / num_bins
        )

    def add(self, values: np.ndarray):
        """Takes in some more numbers."""
        self._sketch.update_state(values)

    def complete(self, field):
        """Returns a copy of `field` with the boundaries, equal ones once."""
        self._sketch.finalize_state()
        cuts = np.unique(self._sketch.bin_boundaries).tolist()
        return dataclasses.replace(field, boundaries=cuts)
