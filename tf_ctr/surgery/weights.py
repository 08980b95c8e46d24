"""Which weight goes where, found before any is copied."""

import collections
import dataclasses
import math

import keras
import numpy as np
import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.surgery.graph import is_table
from tf_ctr.surgery.names import chosen_part, layers_by_path, select, weights_by_path

ACTIONS = ("copied", "resized", "new", "skipped", "unused")


@dataclasses.dataclass(frozen=True)
class Copy:
    """One variable that takes the values of another.

    Attributes:
        source: `keras.Variable`.
        target: `keras.Variable`.
        rows: A `tf_ctr.surgery.rows.RowMatch`; `None` copies all, in order.
    """

    source: keras.Variable
    target: keras.Variable
    rows: object = None

    def run(self, start_new=True):
        """Copies; `start_new`: also to the rows that start from another row."""
        if self.rows is None:
            self.target.assign(self.source)
            return
        old = keras.ops.convert_to_numpy(self.source)
        values = np.array(keras.ops.convert_to_numpy(self.target))
        values[self.rows.target] = old[self.rows.source]
        if start_new:
            values[self.rows.started] = old[self.rows.started_from]
        self.target.assign(values)


@dataclasses.dataclass
class WeightPlan:
    """All copies between two models.

    Attributes:
        copies: A `Copy` per variable.
        layers: A `LayerReport` per layer.
        mismatched: `{layer: (shapes in the source, shapes in the target)}` of the
            layers that are new because their shapes differ.
    """

    copies: list = dataclasses.field(default_factory=list)
    layers: list = dataclasses.field(default_factory=list)
    mismatched: dict = dataclasses.field(default_factory=dict)

    def run(self):
        """Copies all, and returns the report."""
        for copy in self.copies:
            copy.run()
        return WeightReport(tuple(self.layers))

    def add_pair(self, name, old, new, left_out, match):
        """Plans for one layer of the target and its counterpart in the source."""
        parts = [left_out[id(v)] for v in old.weights if id(v) in left_out]
        self.layers += [LayerReport(p, "skipped") for p in dict.fromkeys(parts)]
        if len(parts) == len(old.weights):
            return
        rows = match(name)
        shapes = _shapes(old, left_out), _shapes(new, ())
        if len(old.weights) == len(new.weights):
            pairs = zip(old.weights, new.weights, strict=True)
            pairs = [(a, b) for a, b in pairs if id(a) not in left_out]
            if all(_fits(a, b, rows) for a, b in pairs):
                self.copies += [Copy(a, b, _moved(rows)) for a, b in pairs]
                self.layers.append(_copied(name, new, rows))
                return
        self.mismatched[name] = shapes
        reason = f"shapes {shapes[0]} in the source, {shapes[1]} in the target"
        self.layers.append(LayerReport(name, "new", reason=reason))


def plan_weights(source, target, suffix="", skip=(), match=lambda name: None):
    """Pairs the layers by name, and the variables of a pair in their order.

    Args:
        source: The model to copy from.
        target: The model to copy to.
        suffix: `layer` of the source goes to `layer + suffix` of the target.
        skip: Patterns of paths to leave alone; see `layer_names`.
        match: From the name of a paired layer to the `RowMatch` of its rows, or
            `None` to copy all in order.

    Returns:
        A `WeightPlan`.

    Raises:
        ValueError: If no name matches, or a pattern of `skip` names no layer.
    """
    olds = {layer.name: layer for layer in source.layers if layer.weights}
    news = {layer.name: layer for layer in target.layers if layer.weights}
    skipped = select(skip, source, target)
    left_out = {
        id(variable): part
        for path, variable in weights_by_path(source)
        if (part := chosen_part(path, skipped))
    }
    partners = {name + suffix: layer for name, layer in olds.items()}
    plan = WeightPlan()
    for name, new in news.items():
        if name in partners:
            plan.add_pair(name, partners[name], new, left_out, match)
        else:
            plan.layers.append(_alone(name, "new", skipped))
    for name in olds:
        if name + suffix not in news:
            plan.layers.append(_alone(name, "unused", skipped))
    if not plan.copies and not plan.mismatched:
        raise ValueError(
            explain(
                f"a layer of the target named as one of the source + '{suffix}'",
                f"source layers {sorted(olds)}, target layers {sorted(news)}",
                "name the layers of both models alike, and skip fewer of them",
            )
        )
    return plan


def _alone(name, action, skipped):
    other = "source" if action == "new" else "target"
    if name in skipped:
        action = "skipped"
    return LayerReport(name, action, reason=f"not in the {other}")


def _shapes(layer, left_out):
    return [tuple(v.shape) for v in layer.weights if id(v) not in left_out]


def _fits(old, new, rows):
    first = 0 if rows is None else 1
    return tuple(old.shape[first:]) == tuple(new.shape[first:])


def _moved(rows):
    return None if rows is None or rows.identical else rows


def _copied(name, layer, rows):
    if not is_table(layer):
        return LayerReport(name, "copied")
    if rows is None:
        reason = "by row number, for want of schemas"
        return LayerReport(name, "copied", layer.input_dim, 0, 0, reason)
    action = "resized" if rows.num_new or rows.num_dropped else "copied"
    counts = len(rows.target), rows.num_new, rows.num_dropped
    return LayerReport(name, action, *counts, rows.reason)


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


def summary(model, report=None):
    """Returns one line per layer with weights: how it started and how it is trained.

    Args:
        model: A `keras.Model`.
        report: The `WeightReport` of its warm start; without it no layer is new.

    Returns:
        `pandas.DataFrame` indexed by the path of the layer: `state`, `"frozen"`,
        `"tuned"` (starts from the source and is trained) or `"new"` (trained from
        its initial weights); `start`, what the report says of it; `parameters`;
        `trained`, how many of them are; `learning_rate_multiplier`, as
        `tf_ctr.optimizers` apply it; `rows_new`, of a table.

    Example:

    >>> import keras
    >>> from tf_ctr.transfer import fine_tune
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, name="deep_0")(inputs["age"])
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(hidden))
    >>> model, report = fine_tune(model, freeze=["deep_0"], return_report=True)
    >>> summary(model, report)[["state", "start", "parameters"]]
             state   start  parameters
    layer
    deep_0  frozen  copied           8
    logit    tuned  copied           5
    """
    entries = {} if report is None else {each.layer: each for each in report.layers}
    trained = {id(v) for v in model.trainable_variables}
    lines = [
        _line(path, layer, trained, entries)
        for path, layer in layers_by_path(model).items()
        if not isinstance(layer, keras.Model)
    ]
    frame = pd.DataFrame(lines).astype({"rows_new": "Int64"})
    return frame.set_index("layer")


def _line(path, layer, trained, entries):
    moving = [v for v in layer.weights if id(v) in trained]
    entry = entries.get(path) or entries.get(chosen_part(path, entries))
    start = entry.action if entry else None
    factors = {getattr(v, "learning_rate_multiplier", 1.0) for v in moving}
    return {
        "layer": path,
        "state": _state(moving, start),
        "start": start,
        "parameters": layer.count_params(),
        "trained": sum(math.prod(v.shape) for v in moving),
        "learning_rate_multiplier": factors.pop() if len(factors) == 1 else None,
        "rows_new": entry.rows_new if entry else None,
    }


def _state(moving, start):
    if not moving:
        return "frozen"
    return "new" if start in ("new", "skipped") else "tuned"
