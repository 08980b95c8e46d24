"""Plans the copies of optimizer slots that go with copies of weights."""

import dataclasses
from typing import Any

import keras

from tf_ctr.surgery.weights import Copy


def plan_slots(
    source: keras.Model, target: keras.Model, copies: list[Copy]
) -> tuple[list[Copy], str]:
    """Plans the copies of the optimizer's state that go with copies of weights.

    The slots of a row are copied with the row; those of new rows do not change. The
    optimizer of the target is built if it has no slots yet.

    Args:
        source: The model to copy from.
        target: The model to copy to.
        copies: The copies of the weights.

    Returns:
        The copies of the slots, and a phrase for the report: how many slots are copied,
        or why none.
    """
    theirs, ours = (_optimizer(model) for model in (source, target))
    why_not = _why_not(theirs, ours)
    if why_not:
        return [], f"not copied: {why_not}"
    if not ours.built:
        ours.build(target.trainable_variables)
    old, new = _slots(theirs), _slots(ours)
    if old is None or new is None or set(old.by_name) != set(new.by_name):
        kind = type(theirs).__name__
        return [], f"not copied: the slots of the two {kind} are not alike by variable"
    moved, variables = [], 0
    for copy in copies:
        # Not strict, because a variable may be frozen, without slots, in one model.
        pairs = list(zip(old.of(copy.source), new.of(copy.target), strict=False))
        moved += [dataclasses.replace(copy, source=a, target=b) for a, b in pairs]
        variables += bool(pairs)
    moved += [Copy(a, b) for a, b in zip(old.counters, new.counters, strict=True)]
    steps = int(theirs.iterations)
    return moved, f"slots of {variables} variables copied, {steps} steps"


@dataclasses.dataclass(frozen=True)
class _Slots:
    """The state of a built optimizer.

    Attributes:
        by_name: `{name: [slot of each trainable variable]}`.
        place: `{id of a trainable variable: its index in these lists}`.
        counters: Variables that belong to no single weight, such as the number of
            steps, without the learning rate.
    """

    by_name: dict[str, list[keras.Variable]]
    place: dict[int, int]
    counters: list[keras.Variable]

    def of(self, variable: keras.Variable) -> list[keras.Variable]:
        """Returns the slots of one variable; none if it is not trained."""
        if id(variable) not in self.place:
            return []
        place = self.place[id(variable)]
        return [self.by_name[name][place] for name in sorted(self.by_name)]


def _optimizer(model: keras.Model) -> Any:
    optimizer = getattr(model, "optimizer", None)
    # LossScaleOptimizer wraps the optimizer that has the slots.
    return getattr(optimizer, "inner_optimizer", optimizer)


def _why_not(old: Any, new: Any) -> str:
    if old is None or new is None:
        return f"the {'source' if old is None else 'target'} is not compiled"
    if type(old) is not type(new):
        names = type(old).__name__, type(new).__name__
        return f"{names[0]} in the source, {names[1]} in the target"
    if not old.built:
        return "the optimizer of the source has made no step"
    return ""


def _slots(optimizer: Any) -> _Slots | None:
    """Returns the slots of an optimizer; `None` if a variable is of unknown use."""
    # Keras optimizers keep each kind of slot in a list parallel to the variables.
    variables = optimizer._trainable_variables
    rest = {id(v): v for v in optimizer.variables}
    by_name = {
        name: list(slots)
        for name, slots in vars(optimizer).items()
        if isinstance(slots, list)
        and len(slots) == len(variables)
        and all(
            id(slot) in rest and slot.shape == variable.shape
            for slot, variable in zip(slots, variables, strict=True)
        )
    }
    for slots in by_name.values():
        for slot in slots:
            del rest[id(slot)]
    counters = [v for v in rest.values() if v.name != "learning_rate"]
    if any(len(v.shape) for v in counters):
        return None
    return _Slots(by_name, {id(v): i for i, v in enumerate(variables)}, counters)
