"""Reports the outcome of a copy of weights, and how each layer is trained."""

import collections
import dataclasses
import html
import math
from collections.abc import Collection, Mapping
from typing import Any, Literal

import keras
import pandas as pd

from tf_ctr.surgery.names import chosen_part, layers_by_path

Action = Literal["copied", "resized", "new", "skipped", "unused"]

ACTIONS: tuple[Action, ...] = ("copied", "resized", "new", "skipped", "unused")


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """The outcome for one layer.

    Attributes:
        layer: Name of the layer, or the path of a skipped part.
        action: `"copied"`: the layer takes all weights of the source.
            `"resized"`: the table takes the rows of the ids that it shares with the
            source.
            `"new"`: the layer of the target keeps its initial weights.
            `"skipped"`: the layer is unchanged because the caller asked for it.
            `"unused"`: the layer of the source has no counterpart.
        rows_copied: For a table, the number of rows from the source; otherwise `None`.
        rows_new: Number of rows of the target that the source does not have.
        rows_dropped: Number of rows of the source that the target does not have.
        reason: The reason for the action, if the action does not imply it.
    """

    layer: str
    action: Action
    rows_copied: int | None = None
    rows_new: int | None = None
    rows_dropped: int | None = None
    reason: str = ""


@dataclasses.dataclass(frozen=True, repr=False)
class WeightReport:
    """The outcome of `copy_weights` or `warm_start`, as text, frame or JSON.

    `print(report)` gives an aligned table, `json.dumps(report.to_dict())` JSON.

    Attributes:
        layers: A `LayerReport` for each layer of the target, then for each layer of
            the source without a counterpart.
        optimizer: The outcome for the optimizer's slots.
        scales: A sentence for each number that the two schemas standardise
            differently, so that copied weights were trained on another scale.

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

    layers: tuple[LayerReport, ...]
    optimizer: str = "not asked for"
    scales: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"WeightReport({self._counts()})"

    def _repr_html_(self) -> str:
        """The layers as a table, in a notebook."""
        others = "".join(f"<br>other scale: {html.escape(e)}" for e in self.scales)
        foot = f"{self._counts()}<br>optimizer: {html.escape(self.optimizer)}{others}"
        return f"{self.to_frame().to_html(index=False, na_rep='')}<p>{foot}</p>"

    def _counts(self) -> str:
        counts = collections.Counter(each.action for each in self.layers)
        return ", ".join(f"{counts[action]} {action}" for action in ACTIONS)

    def __str__(self):
        table = self.to_frame().astype(object).fillna("").to_string(index=False)
        lines = [line.rstrip() for line in table.splitlines()]
        lines.append(self._counts())
        lines.append(f"optimizer: {self.optimizer}")
        return "\n".join([*lines, *(f"other scale: {each}" for each in self.scales)])

    @property
    def copied(self) -> tuple[str, ...]:
        """Names of the layers that took all weights of the source."""
        return self._names("copied")

    @property
    def resized(self) -> tuple[str, ...]:
        """Names of the tables that took some rows of the source."""
        return self._names("resized")

    @property
    def new(self) -> tuple[str, ...]:
        """Names of the layers of the target that kept their initial weights."""
        return self._names("new")

    @property
    def skipped(self) -> tuple[str, ...]:
        """Paths of the layers and weights that were skipped."""
        return self._names("skipped")

    @property
    def unused(self) -> tuple[str, ...]:
        """Names of the layers of the source without a counterpart."""
        return self._names("unused")

    def to_frame(self) -> pd.DataFrame:
        """Returns one line per layer; the columns are those of `LayerReport`."""
        columns = [field.name for field in dataclasses.fields(LayerReport)]
        frame = pd.DataFrame([vars(each) for each in self.layers], columns=columns)
        return frame.astype({name: "Int64" for name in columns if "rows" in name})

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as values that JSON can hold."""
        return dataclasses.asdict(self)

    def _names(self, action: Action) -> tuple[str, ...]:
        return tuple(each.layer for each in self.layers if each.action == action)


def summary(model: keras.Model, report: WeightReport | None = None) -> pd.DataFrame:
    """Returns one line per layer with weights: how it started and how it is trained.

    Args:
        model: A `keras.Model`.
        report: The `WeightReport` of its warm start. Defaults to
            `model.weight_report`, which `warm_start`, `fine_tune` and `grow` set;
            without a report no layer is new.

    Returns:
        A frame indexed by the path of the layer, with the columns `state`: `"frozen"`,
        `"tuned"` (starts from the source and is trained) or `"new"` (trained from its
        initial weights); `start`, the layer's action in the report; `parameters`, their
        number; `trained`, the number of trained ones; `learning_rate_multiplier`, as
        applied by `tf_ctr.optimizers`; and `rows_new`, for a table.

    Example:

    >>> from tf_ctr.transfer import fine_tune
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, name="deep_0")(inputs["age"])
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(hidden))
    >>> summary(fine_tune(model, freeze=["deep_0"]))[["state", "start", "parameters"]]
             state   start  parameters
    layer
    deep_0  frozen  copied           8
    logit    tuned  copied           5
    """
    report = report or getattr(model, "weight_report", None)
    entries = {} if report is None else {each.layer: each for each in report.layers}
    trained = {id(v) for v in model.trainable_variables}
    lines = [
        _line(path, layer, trained, entries)
        for path, layer in layers_by_path(model).items()
        if not isinstance(layer, keras.Model)
    ]
    frame = pd.DataFrame(lines).astype({"rows_new": "Int64"})
    return frame.set_index("layer")


def _line(
    path: str,
    layer: keras.Layer,
    trained: Collection[int],
    entries: Mapping[str, LayerReport],
) -> dict[str, Any]:
    moving = [v for v in layer.weights if id(v) in trained]
    # A report lists parts of a Sequential only if they were skipped.
    entry = entries.get(path) or entries.get(chosen_part(path, entries) or "")
    start = entry.action if entry else None
    state = "new" if start in ("new", "skipped") else "tuned"
    factors = {getattr(v, "learning_rate_multiplier", 1.0) for v in moving}
    return {
        "layer": path,
        "state": state if moving else "frozen",
        "start": start,
        "parameters": layer.count_params(),
        "trained": sum(math.prod(v.shape) for v in moving),
        "learning_rate_multiplier": factors.pop() if len(factors) == 1 else None,
        "rows_new": entry.rows_new if entry else None,
    }
