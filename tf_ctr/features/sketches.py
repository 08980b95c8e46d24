"""Statistics of streams of numbers: moments and quantiles."""

import dataclasses
import math
from typing import TYPE_CHECKING

import keras
import numpy as np

if TYPE_CHECKING:
    from tf_ctr.features.numeric import Numeric


class Moments:
    """The mean and standard deviation of a stream of numbers."""

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        """Adds numbers, float64 `[n]`."""
        # Squared deviations from the mean of each part, not squares of the numbers:
        # the difference of two large sums would lose its digits (Chan, Golub and
        # LeVeque, "Updating formulae and a pairwise algorithm", 1979).
        mean = values.mean().item()
        total = self._count + len(values)
        shift = mean - self._mean
        self._squares += np.square(values - mean).sum().item()
        self._squares += shift**2 * self._count * len(values) / total
        self._mean += shift * len(values) / total
        self._count = total

    def complete(self, field: "Numeric") -> "Numeric":
        """Returns a copy of `field` with the moments that it leaves open."""
        variance = self._squares / self._count
        # Rounding can give a constant a variance of up to this bound, which is that of
        # scikit-learn's StandardScaler.
        epsilon = self._count * np.finfo(np.float64).eps
        constant = variance <= epsilon * variance + (epsilon * self._mean) ** 2
        std = 1.0 if constant else math.sqrt(variance)
        return dataclasses.replace(
            field,
            mean=self._mean if field.mean is None else field.mean,
            std=std if field.std is None else field.std,
        )


class Quantiles:
    """Approximate quantiles of a stream of numbers.

    Args:
        num_bins: The number of bins. Ranks are exact to about a tenth of a bin.
    """

    def __init__(self, num_bins: int):
        self._sketch = keras.layers.Discretization(
            num_bins=num_bins, epsilon=0.1 / num_bins
        )

    def add(self, values: np.ndarray) -> None:
        """Adds numbers, float64 `[n]`."""
        self._sketch.update_state(values)

    def complete(self, field: "Numeric") -> "Numeric":
        """Returns a copy of `field` with the boundaries, at least one.

        A value that fills more than a bin has several cuts, or no value below its cut.
        It gets a bin of its own: a boundary follows at the next larger value.
        """
        self._sketch.finalize_state()
        values = np.unique(self._sketch.summary[0])
        cuts, counts = np.unique(self._sketch.bin_boundaries, return_counts=True)
        lowest = cuts <= values[0]
        frequent = cuts[(counts > 1) | lowest]
        place = np.searchsorted(values, frequent, side="right")
        above = values[place[place < len(values)]]
        separating = np.union1d(cuts[~lowest], above)
        # One value alone separates nothing, but may be seen with others later.
        found = separating if len(separating) else values[:1]
        return dataclasses.replace(field, boundaries=found.tolist())
