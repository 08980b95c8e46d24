"""What a copy of weights did, layer by layer."""

import collections
import dataclasses

import pandas as pd

ACTIONS = ("copied", "resized", "new", "skipped", "unused")


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """What happened to one layer.

    Attributes:
        layer: Name of the layer; for a part that was skipped its path.
        action: `"copied"`: takes all weights of the source.
            `"resized"`: a table that takes the rows of the ids it shares with the
            source.
            `"new"`: a layer of the target that keeps its initial weights.
            `"skipped"`: left alone because the caller said so.
            `"unused"`: a layer of the source without a counterpart.
        rows_copied: Of a table, the rows that come from the source; else `None`.
        rows_new: Rows of the target that the source does not have.
        rows_dropped: Rows of the source that the target does not have.
        reason: Why, where the action does not say it.
    """

    layer: str
    action: str
    rows_copied: int | None = None
    rows_new: int | None = None
    rows_dropped: int | None = None
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class WeightReport:
    """What `copy_weights` or `warm_start` did, as text, frame or JSON.

    `print(report)` gives an aligned table, `json.dumps(report.to_dict())` JSON.

    Attributes:
        layers: A `LayerReport` per layer of the target, then those of the source
            that have no counterpart.
        optimizer: What happened to the optimizer's slots.
        scales: A sentence per number that the two schemas standardise differently:
            the weights behind it were trained on another scale.

    Example:

    >>> report = WeightReport((LayerReport("logit", "copied"),))
    >>> report.copied
    ('logit',)
    >>> print(report)
    layer action rows_copied rows_new rows_dropped reason
    logit copied
    1 copied, 0 resized, 0 new, 0 skipped, 0 unused
    optimizer: not asked for
    """

    layers: tuple
    optimizer: str = "not asked for"
    scales: tuple = ()

    def __str__(self):
        counts = collections.Counter(each.action for each in self.layers)
        table = self.to_frame().astype(object).fillna("").to_string(index=False)
        lines = [line.rstrip() for line in table.splitlines()]
        lines.append(", ".join(f"{counts[action]} {action}" for action in ACTIONS))
        lines.append(f"optimizer: {self.optimizer}")
        return "\n".join([*lines, *(f"other scale: {each}" for each in self.scales)])

    @property
    def copied(self) -> tuple:
        """Names of the layers that took all weights of the source."""
        return self._names("copied")

    @property
    def resized(self) -> tuple:
        """Names of the tables that took some rows of the source."""
        return self._names("resized")

    @property
    def new(self) -> tuple:
        """Names of the layers of the target that kept their initial weights."""
        return self._names("new")

    @property
    def skipped(self) -> tuple:
        """Paths of what was left alone."""
        return self._names("skipped")

    @property
    def unused(self) -> tuple:
        """Names of the layers of the source without a counterpart."""
        return self._names("unused")

    def to_frame(self) -> pd.DataFrame:
        """Returns one line per layer."""
        columns = [field.name for field in dataclasses.fields(LayerReport)]
        frame = pd.DataFrame([vars(each) for each in self.layers], columns=columns)
        return frame.astype({name: "Int64" for name in columns if "rows" in name})

    def to_dict(self) -> dict:
        """Returns the report as values that JSON holds."""
        return dataclasses.asdict(self)

    def _names(self, action):
        return tuple(each.layer for each in self.layers if each.action == action)
