"""Statistics of numbers that merge exactly: moments and quantiles.

Both depend only on the numbers, not on their order, nor on how they were divided among
parts that were merged later: equal numbers give equal statistics, to the bit.
"""

import fractions
import math
from collections.abc import Sequence

import numpy as np

# A float64 is three whole numbers of at most 18 bits, times a power of 2. Sums of their
# products stay below 2**53 in blocks of this many numbers, so that float64 is exact.
LIMB_BITS = 18
BLOCK = 1 << 15

# The exponent of the unit in which sums are counted: no float64 is finer.
FINEST = -1200

# Distinct values that are counted one by one.
MOST_VALUES = 1 << 20

# Numbers that are sorted together.
GATHERED = 1 << 18


class Moments:
    """The exact sums of numbers and of their squares.

    They are whole numbers of a tiny unit, of any length, so that no digit is lost, like
    the accumulators of R. Neal, "Fast exact summation using small and large
    superaccumulators" (2015), https://arxiv.org/abs/1505.05571.

    Args:
        count: How many numbers.
        total: Their sum, in units of `2**FINEST`.
        squares: The sum of their squares, in units of `2**(2 * FINEST)`.

    Example:

    >>> moments = Moments()
    >>> moments.add(np.array([1e15, 1.0, 3.0, -1e15]))
    >>> moments.mean
    1.0
    """

    def __init__(self, count: int = 0, total: int = 0, squares: int = 0):
        self.count, self.total, self.squares = count, total, squares

    def add(self, values: np.ndarray) -> None:
        """Adds finite numbers, float64 `[n]`."""
        for start in range(0, len(values), BLOCK):
            self._add_block(values[start : start + BLOCK])

    def _add_block(self, values):
        self.count += len(values)
        rest, exponents = np.frexp(values)
        limbs = []
        for _ in range(3):
            rest = rest * 2.0**LIMB_BITS
            limbs.append(np.trunc(rest))
            rest -= limbs[-1]
        a, b, c = limbs
        lowest = int(exponents.min())
        places = exponents - lowest

        def add(weights, power):
            """Sums of whole numbers by exponent, in units of 2**(exponent + power)."""
            sums = np.bincount(places, weights)
            return [
                (int(sums[place]), lowest + int(place), power)
                for place in np.flatnonzero(sums)
            ]

        for whole, exponent, power in (
            *add(a, 2 * LIMB_BITS),
            *add(b, LIMB_BITS),
            *add(c, 0),
        ):
            self.total += whole << exponent + power - 3 * LIMB_BITS - FINEST
        for whole, exponent, power in (
            *add(a * a, 4 * LIMB_BITS),
            *add(2 * a * b, 3 * LIMB_BITS),
            *add(2 * a * c + b * b, 2 * LIMB_BITS),
            *add(2 * b * c, LIMB_BITS),
            *add(c * c, 0),
        ):
            self.squares += whole << 2 * (exponent - 3 * LIMB_BITS - FINEST) + power

    def merged(self, others: "Sequence[Moments]") -> "Moments":
        """Returns the moments of these numbers and those of others."""
        all_ = (self, *others)
        return Moments(
            sum(each.count for each in all_),
            sum(each.total for each in all_),
            sum(each.squares for each in all_),
        )

    @property
    def mean(self) -> float:
        """The mean, correctly rounded."""
        return float(fractions.Fraction(self.total, self.count << -FINEST))

    @property
    def std(self) -> float:
        """The standard deviation of the whole (`ddof=0`); 0 for equal numbers."""
        spread = self.count * self.squares - self.total**2
        return math.sqrt(fractions.Fraction(spread, self.count**2 << -2 * FINEST))


class Quantiles:
    """How often each value occurs, from which quantiles are read.

    Exact up to `MOST_VALUES` distinct values. Beyond, neighbouring values of float32
    are counted together, in twos, fours, and so on, just as many as needed. At worst,
    with values all over the range of float32, they agree in 11 bits after the first,
    which is .05 % of the value. The rank of a cut is off by at most the share of the
    numbers that are counted together with it.

    Args:
        level: The number of last bits that are left out of a value.
        keys: The values, as ascending whole numbers, int64 `[n]`; see `_keys`.
        counts: How often each occurs, int64 `[n]`.
    """

    def __init__(
        self,
        level: int = 0,
        keys: np.ndarray | None = None,
        counts: np.ndarray | None = None,
    ):
        self._level = level
        self._keys = np.zeros(0, np.int64) if keys is None else keys
        self._counts = np.zeros(0, np.int64) if counts is None else counts
        self._gathered: list[np.ndarray] = []

    def add(self, values: np.ndarray) -> None:
        """Adds finite numbers, float32 or float64 `[n]`; read as float32."""
        self._gathered.append(_keys(values))
        if sum(map(len, self._gathered)) >= GATHERED:
            self._settle()

    def merged(self, others: "Sequence[Quantiles]") -> "Quantiles":
        """Returns the quantiles of these numbers and those of others."""
        tables = [each.table() for each in (self, *others)]
        level = max(level for level, _, _ in tables)
        joined = Quantiles(level)
        joined._count(
            np.concatenate([keys >> level - own for own, keys, _ in tables]),
            np.concatenate([counts for _, _, counts in tables]),
        )
        return joined

    def table(self) -> tuple[int, np.ndarray, np.ndarray]:
        """Returns the arguments that make an equal object."""
        self._settle()
        return self._level, self._keys, self._counts

    def boundaries(self, num_bins: int) -> list[float]:
        """Returns cuts between bins of equal counts, at least one, ascending.

        A value that fills more than a bin has several cuts, or no value below its cut.
        It gets a bin of its own: a boundary follows at the next larger value.
        """
        _, keys, counts = self.table()
        values = _values(keys << self._level)
        ends = np.cumsum(counts)
        # In whole numbers, so that no rounding moves a cut: the rank `i * n / bins`.
        ranks = [i * int(ends[-1]) // num_bins for i in range(1, num_bins)]
        places, times = np.unique(
            np.searchsorted(ends, ranks, side="right"), return_counts=True
        )
        frequent = places[(times > 1) | (places == 0)]
        above = frequent[frequent < len(values) - 1] + 1
        found = values[np.union1d(places[places > 0], above)]
        # One value alone separates nothing, but may be seen with others later.
        return (found if len(found) else values[:1]).tolist()

    def _settle(self) -> None:
        if self._gathered:
            new = np.concatenate(self._gathered) >> self._level
            self._gathered = []
            keys, counts = np.unique(new, return_counts=True)
            self._count(
                np.concatenate([self._keys, keys]),
                np.concatenate([self._counts, counts]),
            )

    def _count(self, keys: np.ndarray, counts: np.ndarray) -> None:
        """Counts keys of the level, and raises the level while there are too many."""
        keys, counts = _summed(keys, counts)
        while len(keys) > MOST_VALUES:
            self._level += 1
            keys, counts = _summed(keys >> 1, counts)
        self._keys, self._counts = keys, counts


def _summed(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct keys, ascending, each with the sum of its counts."""
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    starts = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
    return keys[starts], np.add.reduceat(counts, starts) if len(starts) else counts


def _keys(values: np.ndarray) -> np.ndarray:
    """Returns whole numbers, int64, in the order of float32 values."""
    # Adding 0 makes 0 of -0. The bits of negative numbers ascend with their size.
    bits = (values.astype(np.float32) + np.float32(0)).view(np.int32)
    return np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)


def _values(keys: np.ndarray) -> np.ndarray:
    """Returns the values of keys; below the least number, the least number."""
    limits = _keys(np.array([-np.inf, np.inf], np.float32))
    bits = np.clip(keys, limits[0] + 1, limits[1] - 1).astype(np.int32)
    return np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).view(np.float32)
