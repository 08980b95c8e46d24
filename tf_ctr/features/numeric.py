"""A field of numbers."""

import dataclasses
import math
import numbers
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_choice, explain
from tf_ctr.features.arrow import as_floats, to_float32
from tf_ctr.features.columns import column
from tf_ctr.features.field import MISSING, Field, known
from tf_ctr.features.number_learning import NumberLearner

DEFAULT_CLIP = 10.0
TRANSFORMS = ("standardize", "log", "quantile")


@dataclasses.dataclass(frozen=True)
class Numeric(Field):
    """A field of numbers, standardised or cut into bins of equal counts.

    NaN and infinite values count as missing: they become 0 (the mean) when
    standardised, row 0 of the table when binned. Numbers are read as float32, which has
    seven digits: subtract a reference from large numbers with small differences, e.g.
    turn timestamps into days since a date.

    Standardised numbers are cut at 10 standard deviations: a cross network multiplies
    its inputs, so that one value of 101 makes a logit of thousands. `Schema.summary`
    warns of columns with values beyond 20; for most of them, such as counts,
    `transform="log"` or `"quantile"` keeps more than the cut.

    Args:
        name: The name of the field and of the Keras input.
        transform: `"standardize"` to mean 0 and standard deviation 1; `"log"` to do so
            with `sign(x) log(1 + |x|)`; or `"quantile"`: the bins become ids with an
            embedding table.
        num_bins: The number of bins of a quantile field. There are fewer if one value
            fills more than a bin; then it has a bin of its own. Cuts are exact up to a
            million distinct values; see `tf_ctr.features.sketches.Quantiles`.
        mean: The mean to subtract. `None` learns it.
        std: The standard deviation to divide by. `None` learns it, as 1 for a
            constant column.
        boundaries: Increasing bin boundaries; a value equal to a boundary belongs to
            the bin above it. `None` learns them.
        clip: The largest distance from the mean, in standard deviations: values
            further away are moved there. `None` for no limit.
        missing_indicator: Whether a second value of a standardised number is 1 where
            the number is missing and 0 elsewhere, so that a model can tell a missing
            number from the mean.
        extent: The smallest and the largest number of the data; `fit` notes them.
        column: The column of the rows; `None` takes `name`.

    Raises:
        ValueError: For a wrong argument.

    Example:

    >>> from tf_ctr.features import Numeric
    >>> Numeric("age", transform="quantile", boundaries=[18, 30, 60]).table_size
    5
    >>> views = Numeric("views", transform="log", mean=2, std=1, missing_indicator=True)
    >>> views.encode([0.0, float("nan")]).numpy()
    array([[-2.,  0.],
           [ 0.,  1.]], dtype=float32)
    """

    transform: Literal["standardize", "log", "quantile"] = "standardize"
    num_bins: int | None = None
    mean: float | None = None
    std: float | None = None
    boundaries: Sequence[float] | None = dataclasses.field(default=None, repr=False)
    clip: float | None = DEFAULT_CLIP
    missing_indicator: bool = False
    # Only for `Schema.summary`: no part of what the field does.
    extent: tuple[float, float] | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    # Without annotations, so that the dataclass does not make arguments of them.
    dtype = "float32"
    padding = math.nan
    multivalent = False
    max_length = None
    pooling = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("transform", self.transform, TRANSFORMS)
        check_choice("missing_indicator", self.missing_indicator, (True, False))
        if self.extent is not None:
            self._set("extent", tuple(self.extent))
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

    @property
    def scale(self) -> tuple[float, float] | None:
        """Mean and standard deviation; `None` if it is binned, or not fitted."""
        if self.mean is None or self.std is None:
            return None
        return self.mean, self.std

    @property
    def largest(self) -> float | None:
        """The largest distance from the mean in the data, before the cut by `clip`.

        In standard deviations; `None` if it is binned, or saw no data.
        """
        if self.scale is None or self.extent is None:
            return None
        mean, std = self.scale
        return float(
            np.abs((self.transformed(np.array(self.extent)) - mean) / std).max()
        )

    @property
    def layout(self) -> Hashable:
        """The boundaries of the bins, which determine the rows of the table."""
        return self.boundaries

    def row_keys(self) -> list[Hashable]:
        """Returns `(low, high)` of each bin, after the row of missing values."""
        if self.boundaries is None:
            return []
        edges = (-math.inf, *self.boundaries, math.inf)
        return [MISSING, *zip(edges[:-1], edges[1:], strict=True)]

    def raw_values(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the numbers of a frame as float32 `[B]`, NaN where missing."""
        return to_float32(as_floats(column(frame, self.column), self.column))

    def example_values(self, n: int, generator: np.random.Generator) -> pd.Series:
        """Returns `n` random numbers, a tenth missing and some beyond the bins."""
        if self.boundaries is None:
            values = generator.normal(*known(self.scale), n)
            if self.transform == "log":
                values = np.sign(values) * np.expm1(np.abs(values))
        else:
            low, high = self.boundaries[0], self.boundaries[-1]
            margin = 0.1 * (high - low) + 1
            values = generator.uniform(low - margin, high + margin, n)
        return pd.Series(np.where(generator.random(n) < 0.1, np.nan, values))

    def keras_input(self) -> keras.KerasTensor:
        """Returns a Keras input: float32 `[B, width]`, or int64 `[B]` for bins."""
        if self.table is None:
            return keras.Input((self.width,), dtype="float32", name=self.name)
        return super().keras_input()

    @property
    def width(self) -> int:
        """The encoded values per row: a standardised number and any indicator."""
        return 2 if self.missing_indicator else 1

    def transformed(self, values: np.ndarray) -> np.ndarray:
        """Returns numbers as they are standardised or binned: in the scale of `mean`.

        Args:
            values: Numbers, float64 `[n]`.
        """
        if self.transform != "log":
            return values
        return np.sign(values) * np.log1p(np.abs(values))

    def encode(
        self, values: tf.Tensor, table: tf.lookup.StaticHashTable | None = None
    ) -> tf.Tensor:
        """Returns float32 `[B, width]`, or the rows of bins as int64 `[B]`."""
        finite = tf.math.is_finite(values)
        if self.boundaries is None:
            # In float64, because the difference of two large numbers may be small.
            exact = tf.cast(values, tf.float64)
            if self.transform == "log":
                exact = tf.sign(exact) * tf.math.log1p(tf.abs(exact))
            scaled = (exact - self.mean) / self.std
            if self.clip is not None:
                scaled = tf.clip_by_value(scaled, -self.clip, self.clip)
            standardised = tf.where(finite, tf.cast(scaled, tf.float32), 0.0)
            if not self.missing_indicator:
                return standardised[:, tf.newaxis]
            missing = tf.cast(tf.logical_not(finite), tf.float32)
            return tf.stack([standardised, missing], axis=1)
        cuts = tf.constant(self.boundaries, tf.float32)
        bins = tf.searchsorted(cuts, values, side="right", out_type=tf.int64)
        return tf.where(finite, 1 + bins, tf.zeros_like(bins))

    def learner(self) -> NumberLearner:
        """Returns the learner of the moments or boundaries."""
        return NumberLearner(self)

    def unfitted(self) -> "Numeric":
        """Returns a copy without moments and boundaries."""
        return dataclasses.replace(
            self, mean=None, std=None, boundaries=None, extent=None
        )

    @classmethod
    def restored(cls, arguments: Mapping[str, Any]) -> "Numeric":
        """Returns the field of saved arguments; see `Field.restored`."""
        # Releases before `clip` had no limit.
        return cls(**{"clip": None, **arguments})

    def _check_moments(self):
        if (self.num_bins, self.boundaries) != (None, None):
            raise ValueError(
                explain(
                    "`num_bins` and `boundaries` only with the quantile transform",
                    f"transform={self.transform!r} for field {self.name!r}",
                    "pass transform='quantile'",
                )
            )
        self._set_moment("clip", least=0.0, fix="pass clip=10.0, or None for no limit")
        self._set_moment("mean", least=-math.inf)
        self._set_moment("std", least=0.0)

    def _set_moment(self, argument, least, fix=None):
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
                    fix or f"leave {argument} out to learn it from the data",
                )
            )
        # JSON cannot hold NumPy values.
        self._set(argument, float(value))

    def _check_bins(self):
        if (self.mean, self.std) != (None, None):
            raise ValueError(
                explain(
                    "`mean` and `std` only with a number that is standardised",
                    f"transform='quantile' for field {self.name!r}",
                    "leave them out",
                )
            )
        if self.clip not in (None, DEFAULT_CLIP) or self.missing_indicator:
            raise ValueError(
                explain(
                    "`clip` and `missing_indicator` only with a number that is "
                    "standardised",
                    f"transform='quantile' for field {self.name!r}",
                    "leave them out: bins have no distance, and missing numbers have "
                    "a row of their own",
                )
            )
        self._set("clip", None)
        if self.boundaries is None:
            self._set_count("num_bins", 2)
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
        self._set("boundaries", cuts)
