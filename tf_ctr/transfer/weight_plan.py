"""Which weight goes where, found before any is copied."""

import dataclasses

import keras
import numpy as np

from tf_ctr.errors import explain
from tf_ctr.transfer.layer_names import chosen_part, select, weights_by_path
from tf_ctr.transfer.tables import is_table
from tf_ctr.transfer.weight_report import LayerReport, WeightReport


@dataclasses.dataclass(frozen=True)
class Copy:
    """One variable that takes the values of another.

    Attributes:
        source: `keras.Variable`.
        target: `keras.Variable`.
        rows: A `tf_ctr.transfer.table_rows.RowMatch`; `None` copies all, in order.
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
