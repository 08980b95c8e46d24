"""The optimizer's slots go where the weights go."""

import dataclasses
from typing import Any

import keras

from tf_ctr.surgery.weights import Copy


def plan_slots(
    source: keras.Model, target: keras.Model, copies: list[Copy]
) -> tuple[list[Copy], str]:
    """Plans the copies of the optimizer's state that go with copies of weights.

    The slots of a row go where the row goes; those of new rows stay as they are. A
    target whose optimizer has no slots yet gets them.

    Args:
        source: The model to copy from.
        target: The model to copy to.
        copies: The copies of the weights.

    Returns:
        The copies of the slots, and a sentence for the report: how many are copied, or
        why none is.
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
        # Not strict: a variable that is frozen on one side has slots on the other.
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
        place: `{id of a trainable variable: its place in these lists}`.
        counters: State of no single variable, the number of steps above all; not
            the learning rate.
    """

    by_name: dict[str, list[keras.Variable]]
    place: dict[int, int]
    counters: list[keras.Variable]

    def of(self, variable: keras.Variable) -> list[keras.Variable]:
        """The slots of one variable, none if it is not trained."""
        if id(variable) not in self.place:
            return []
        place = self.place[id(variable)]
        return [self.by_name[name][place] for name in sorted(self.by_name)]


def _optimizer(model: keras.Model) -> Any:
    optimizer = getattr(model, "optimizer", None)
    # LossScaleOptimizer wraps the one that has the slots.
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
    """The `_Slots` of an optimizer; `None` if its variables are not all understood."""
    # Keras's optimizers hold each kind of slot in a list parallel to the variables.
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
