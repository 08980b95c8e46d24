"""What numeric fields learn: moments or quantiles, and the extent."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tf_ctr.errors import explain
from tf_ctr.features.arrow import as_floats, to_float32
from tf_ctr.features.columns import column
from tf_ctr.features.learning import (
    FieldStatistics,
    Learner,
    nothing_in,
    share,
)
from tf_ctr.features.sketches import Moments, Quantiles

if TYPE_CHECKING:
    from tf_ctr.features.numeric import Numeric

# The share of a column's range that float32 may round away; a model cannot use
# smaller differences.
LOST_SHARE = 1e-3


@dataclasses.dataclass(frozen=True)
class NumberStatistics(FieldStatistics):
    """The numbers of a numeric field.

    Attributes:
        transform: That of the field.
        rows: The number of rows.
        present: The number of rows with a finite number.
        low: The smallest number; infinite without numbers.
        high: The largest number.
        lost: The most that float32 rounds away of a number.
        sketch: Moments or quantiles.
    """

    transform: str
    rows: int
    present: int
    low: float
    high: float
    lost: float
    sketch: Moments | Quantiles

    @property
    def kind(self) -> dict[str, Any]:
        """What the numbers are; see `FieldStatistics.kind`."""
        return {"values": "numbers", "transform": self.transform}

    def merged(self, others: "Sequence[NumberStatistics]") -> "NumberStatistics":
        """Returns the statistics of all rows; see `FieldStatistics.merged`."""
        parts = (self, *others)
        sketches: list[Any] = [part.sketch for part in others]
        return NumberStatistics(
            transform=self.transform,
            rows=sum(part.rows for part in parts),
            present=sum(part.present for part in parts),
            low=min(part.low for part in parts),
            high=max(part.high for part in parts),
            lost=max(part.lost for part in parts),
            sketch=self.sketch.merged(sketches),
        )

    def complete(
        self, field: "Numeric", grow: bool = False
    ) -> tuple["Numeric", float | None]:
        """Returns the completed field; see `FieldStatistics.complete`."""
        changes: dict[str, Any] = {}
        if self.present:
            changes["extent"] = self.low, self.high
        if not field.fitted:
            self._check_numbers(field)
            changes |= self._learned(field)
        return dataclasses.replace(field, **changes), share(self.present, self.rows)

    def _learned(self, field):
        if isinstance(self.sketch, Quantiles):
            return {"boundaries": self.sketch.boundaries(field.num_bins)}
        learned = {"mean": self.sketch.mean, "std": self.sketch.std or 1.0}
        return {k: v for k, v in learned.items() if getattr(field, k) is None}

    def _check_numbers(self, field):
        if not self.present:
            raise ValueError(nothing_in(field.column))
        # A constant has no differences to lose.
        if 0 < LOST_SHARE * (self.high - self.low) < self.lost:
            raise ValueError(
                explain(
                    f"column {field.column!r} to keep its differences in float32",
                    f"values of {self.low} to {self.high}, rounded by {self.lost}",
                    "subtract a reference first, e.g. count days since a date",
                )
            )

    def state(self) -> dict[str, Any]:
        """Returns all but the counts; see `FieldStatistics.state`."""
        fields = (field.name for field in dataclasses.fields(self))
        state = {name: getattr(self, name) for name in fields if name != "sketch"}
        # JSON has no infinite numbers.
        if not self.present:
            state |= {"low": None, "high": None}
        if isinstance(self.sketch, Quantiles):
            return {**state, "level": self.sketch.table()[0]}
        # Longer than many readers of JSON take for numbers.
        sums = self.sketch.total, self.sketch.squares
        return {**state, "sums": [format(each, "x") for each in sums]}

    def table(self) -> pa.Table:
        """Returns the counts of values, if there are any."""
        keys = counts = np.zeros(0, np.int64)
        if isinstance(self.sketch, Quantiles):
            _, keys, counts = self.sketch.table()
        return pa.table({"id": keys, "count": counts, "last": np.zeros_like(keys)})

    @classmethod
    def restored(cls, state: Mapping[str, Any], table: pa.Table) -> "NumberStatistics":
        """Returns the statistics of a `state` and a `table`."""
        values = {**state}
        if not values["present"]:
            values |= {"low": np.inf, "high": -np.inf}
        if "level" in values:
            keys, counts = (table[name].to_numpy() for name in ("id", "count"))
            quantiles = Quantiles(values.pop("level"), keys, counts)
            return cls(**values, sketch=quantiles)
        total, squares = (int(each, 16) for each in values.pop("sums"))
        moments = Moments(values["present"], total, squares)
        return cls(**values, sketch=moments)


class NumberLearner(Learner):
    """Reads the finite numbers of a numeric field.

    Args:
        field: The field.
    """

    def __init__(self, field: "Numeric"):
        self._field = field
        binned = field.transform == "quantile"
        self._sketch: Moments | Quantiles = Quantiles() if binned else Moments()
        self._rows = self._present = 0
        self._low, self._high, self._lost = np.inf, -np.inf, 0.0

    def update(self, frame: pd.DataFrame) -> None:
        """Reads the numbers of one more frame, rounded as the encoder gets them."""
        exact = as_floats(column(frame, self._field.column), self._field.column)
        values = to_float32(exact).astype(np.float64)
        finite = np.isfinite(values)
        exact, values = exact[finite], values[finite]
        self._rows += len(frame)
        self._present += len(values)
        if len(values):
            self._low = min(self._low, exact.min())
            self._high = max(self._high, exact.max())
            self._lost = max(self._lost, np.abs(values - exact).max())
            self._sketch.add(self._field.transformed(values))

    def statistics(self, period: int) -> NumberStatistics:
        """Returns the statistics of all frames."""
        return NumberStatistics(
            transform=self._field.transform,
            rows=self._rows,
            present=self._present,
            low=float(self._low),
            high=float(self._high),
            lost=float(self._lost),
            sketch=self._sketch,
        )
