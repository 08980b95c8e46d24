"""A field of numbers."""

import dataclasses
import math
import numbers

from tf_ctr.errors import check_choice, explain
from tf_ctr.features.checks import check_name, set_count


@dataclasses.dataclass(frozen=True)
class Numeric:
    """Numbers, standardised or cut into bins of equal counts.

    NaN and infinite values are missing: 0 (the mean) when standardised, row 0 of the
    table when binned. Numbers are read as float32, of seven digits: from large ones
    that differ by little subtract a reference, e.g. make days of timestamps.

    Args:
        name: The column of the frame, and the name of the Keras input.
        transform: `"standardize"` to mean 0 and standard deviation 1, or
            `"quantile"`: the bins become ids with an embedding table.
        num_bins: The number of bins of a quantile field. Fewer result where one
            value is more frequent than a bin.
        mean: The mean to subtract. `None` learns it.
        std: The standard deviation to divide by. `None` learns it; that of a
            constant column is 1.
        boundaries: Increasing bin boundaries; a value equal to a boundary belongs to
            the bin above it. `None` learns them.

    Raises:
        ValueError: For a wrong argument.

    Example:

    >>> from tf_ctr.features import Numeric
    >>> Numeric("age", transform="quantile", boundaries=[18, 30, 60]).table_size
    5
    """

    name: str
    transform: str = "standardize"
    num_bins: int | None = None
    mean: float | None = None
    std: float | None = None
    boundaries: tuple | None = dataclasses.field(default=None, repr=False)

    # Not dataclass fields: the same for all numbers.
    dtype = "float32"
    multivalent = False
    pooling = None

    def __post_init__(self):
        check_name(self.name)
        check_choice("transform", self.transform, ("standardize", "quantile"))
        if self.transform == "quantile":
            self._check_bins()
        else:
            self._check_moments()

    @property
    def table(self) -> str | None:
        """The field that owns the embedding table: this one, if it is binned."""
        return self.name if self.transform == "quantile" else None

    @property
    def table_size(self) -> int | None:
        """Rows of the embedding table: missing values, then the bins."""
        return None if self.boundaries is None else 2 + len(self.boundaries)

    @property
    def fitted(self) -> bool:
        """Whether nothing is left to learn."""
        return self.boundaries is not None or None not in (self.mean, self.std)

    def _check_moments(self):
        if (self.num_bins, self.boundaries) != (None, None):
            raise ValueError(
                explain(
                    "`num_bins` and `boundaries` with the quantile transform only",
                    f"transform='standardize' for field {self.name!r}",
                    "pass transform='quantile'",
                )
            )
        self._set_moment("mean", least=-math.inf)
        self._set_moment("std", least=0.0)

    def _set_moment(self, argument, least):
        value = getattr(self, argument)
        if value is None:
            return
        number = isinstance(value, numbers.Real) and math.isfinite(value)
        if not (number and value > least):
            raise ValueError(
                explain(
                    f"`{argument}` to be a {'positive' if least == 0 else 'finite'} "
                    f"number for field {self.name!r}",
                    repr(value),
                    f"leave {argument} out to learn it from the data",
                )
            )
        # JSON holds Python values only.
        object.__setattr__(self, argument, float(value))

    def _check_bins(self):
        if (self.mean, self.std) != (None, None):
            raise ValueError(
                explain(
                    "`mean` and `std` with the standardize transform only",
                    f"transform='quantile' for field {self.name!r}",
                    "leave them out",
                )
            )
        if self.boundaries is None:
            set_count(self, "num_bins", 2)
            return
        cuts = tuple(float(cut) for cut in self.boundaries)
        ordered = all(low < high for low, high in zip(cuts, cuts[1:], strict=False))
        if not cuts or not ordered or not all(map(math.isfinite, cuts)):
            raise ValueError(
                explain(
                    f"increasing finite `boundaries` (at least 1) of {self.name!r}",
                    cuts,
                    "sort them and drop repeated ones: sorted(set(boundaries))",
                )
            )
        object.__setattr__(self, "boundaries", cuts)
