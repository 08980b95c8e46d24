"""Copies weights by layer name; plans all copies before it makes any."""

import dataclasses
from collections.abc import Callable, Collection, Mapping

import keras
import numpy as np

from tf_ctr.errors import check_name, explain
from tf_ctr.surgery.graph import is_table
from tf_ctr.surgery.names import chosen_part, layers_by_path, weights_by_path
from tf_ctr.surgery.report import Action, LayerReport, WeightReport
from tf_ctr.surgery.rows import RowMatch

Shapes = list[tuple[int, ...]]

Match = Callable[[str], RowMatch | None]


def copy_weights(
    source: keras.Model,
    target: keras.Model,
    suffix: str = "",
    skip: Collection[str] = (),
) -> WeightReport:
    """Copies weights by layer name, variable by variable, all or nothing.

    Methods use this function between models of one schema; `tf_ctr.surgery.warm_start`
    is for models of two schemas.

    Args:
        source: The model to copy from.
        target: The model to copy to, in place.
        suffix: `layer` of the source is copied to `layer + suffix` of the target.
        skip: Names of layers not to change.

    Returns:
        The outcome for each layer.

    Raises:
        ValueError: If no name matches, `skip` names no layer, or the shapes of a pair
            differ. Nothing is copied then.
    """
    known = layers_by_path(source) | layers_by_path(target)
    for name in skip:
        check_name("layer with weights", name, known)
    plan = plan_weights(source, target, suffix, skip)
    for name, (old, new) in plan.mismatched.items():
        raise ValueError(
            explain(
                f"the weights of '{name}' to have one shape in both models",
                f"source {old}, target {new}",
                f"use one schema and one size, pass skip=('{name}',), or copy with "
                "tf_ctr.surgery.warm_start",
            )
        )
    return plan.run()


@dataclasses.dataclass(frozen=True)
class Copy:
    """A planned copy of one variable to another.

    Attributes:
        source: The variable to copy from.
        target: The variable to copy to.
        rows: The rows to copy; `None` copies all rows, in order.
    """

    source: keras.Variable
    target: keras.Variable
    rows: RowMatch | None = None

    def run(self, start_new: bool = True) -> None:
        """Copies the rows; with `start_new` also those that start from another row."""
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
        layers: The outcome for each layer.
        mismatched: `{layer: (shapes in the source, shapes in the target)}` of the
            layers that are new because their shapes differ.
    """

    copies: list[Copy] = dataclasses.field(default_factory=list)
    layers: list[LayerReport] = dataclasses.field(default_factory=list)
    mismatched: dict[str, tuple[Shapes, Shapes]] = dataclasses.field(
        default_factory=dict
    )

    def run(self) -> WeightReport:
        """Makes all copies, and returns the report."""
        for copy in self.copies:
            copy.run()
        return WeightReport(tuple(self.layers))

    def add_pair(
        self,
        name: str,
        old: keras.Layer,
        new: keras.Layer,
        skipped: Mapping[int, str],
        match: Match,
    ) -> None:
        """Plans the copies from a layer of the source to its counterpart in the target.

        Args:
            name: Name of the layer in the target.
            old: The layer of the source.
            new: The layer of the target.
            skipped: `{id of a weight of the source: the skipped part that has it}`.
            match: See `plan_weights`.
        """
        parts = [skipped[id(v)] for v in old.weights if id(v) in skipped]
        self.layers += [LayerReport(p, "skipped") for p in dict.fromkeys(parts)]
        if len(parts) == len(old.weights):
            return
        rows = match(name)
        first = 0 if rows is None else 1  # Matched tables may differ in rows.
        if len(old.weights) == len(new.weights):
            pairs = [
                (a, b)
                for a, b in zip(old.weights, new.weights, strict=True)
                if id(a) not in skipped
            ]
            if all(tuple(a.shape[first:]) == tuple(b.shape[first:]) for a, b in pairs):
                moved = None if rows is None or rows.identical else rows
                self.copies += [Copy(a, b, moved) for a, b in pairs]
                self.layers.append(_copied(name, new, rows))
                return
        olds = [tuple(v.shape) for v in old.weights if id(v) not in skipped]
        news = [tuple(v.shape) for v in new.weights]
        self.mismatched[name] = olds, news
        reason = f"shapes {olds} in the source, {news} in the target"
        self.layers.append(LayerReport(name, "new", reason=reason))


def plan_weights(
    source: keras.Model,
    target: keras.Model,
    suffix: str = "",
    skip: Collection[str] = (),
    match: Match = lambda name: None,
) -> WeightPlan:
    """Pairs the layers by name, and the variables of a pair in their order.

    Args:
        source: The model to copy from.
        target: The model to copy to.
        suffix: `layer` of the source is copied to `layer + suffix` of the target.
        skip: Paths of layers or weights not to change.
        match: A function from the name of a paired layer to the match of its rows, or
            to `None` to copy all rows in order.

    Returns:
        The plan; nothing is copied yet.

    Raises:
        ValueError: If no name matches.
    """
    olds = {layer.name + suffix: layer for layer in source.layers if layer.weights}
    news = {layer.name: layer for layer in target.layers if layer.weights}
    skipped = {
        id(variable): part
        for path, variable in weights_by_path(source)
        if (part := chosen_part(path, skip))
    }

    def unpaired(name: str, action: Action, other: str) -> LayerReport:
        action = "skipped" if name in skip else action
        return LayerReport(name, action, reason=f"not in the {other}")

    plan = WeightPlan()
    for name, new in news.items():
        if name in olds:
            plan.add_pair(name, olds[name], new, skipped, match)
        else:
            plan.layers.append(unpaired(name, "new", "source"))
    plan.layers += [
        unpaired(old.name, "unused", "target")
        for name, old in olds.items()
        if name not in news
    ]
    if not plan.copies and not plan.mismatched:
        theirs = sorted(layer.name for layer in olds.values())
        raise ValueError(
            explain(
                f"a layer of the target with the name of a source layer + '{suffix}'",
                f"source layers {theirs}, target layers {sorted(news)}",
                "give the layers of both models the same names, and skip fewer of them",
            )
        )
    return plan


def _copied(name: str, layer: keras.Layer, rows: RowMatch | None) -> LayerReport:
    if not is_table(layer):
        return LayerReport(name, "copied")
    if rows is None:
        reason = "by row number, without schemas"
        return LayerReport(name, "copied", layer.input_dim, 0, 0, reason)
    action: Action = "resized" if rows.num_new or rows.num_dropped else "copied"
    counts = len(rows.target), rows.num_new, rows.num_dropped
    return LayerReport(name, action, *counts, rows.reason)
