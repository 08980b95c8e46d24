"""The slots of an optimizer (moments, accumulators), variable by variable."""

import dataclasses

from tf_ctr.transfer.weight_plan import Copy


def plan_slots(source, target, copies):
    """Plans the copies of the optimizer's state that go with copies of weights.

    The slots of a row go where the row goes; those of new rows stay as they are. A
    target whose optimizer has no slots yet gets them.

    Args:
        source: The model to copy from.
        target: The model to copy to.
        copies: `tf_ctr.transfer.weight_plan.Copy` of each variable.

    Returns:
        A list of copies, and what to report: what is copied, or why nothing is.
    """
    optimizers = [_optimizer(model) for model in (source, target)]
    why_not = _why_not(*optimizers)
    if why_not:
        return [], f"not copied: {why_not}"
    if not optimizers[1].built:
        optimizers[1].build(target.trainable_variables)
    old, new = map(_slots, optimizers)
    if old is None or new is None or set(old.by_name) != set(new.by_name):
        kind = type(optimizers[0]).__name__
        return [], f"not copied: the slots of the two {kind} are not alike by variable"
    moved, variables = [], 0
    for copy in copies:
        pairs = list(zip(old.of(copy.source), new.of(copy.target), strict=False))
        moved += [dataclasses.replace(copy, source=a, target=b) for a, b in pairs]
        variables += bool(pairs)
    moved += [Copy(a, b) for a, b in zip(old.counters, new.counters, strict=True)]
    steps = int(optimizers[0].iterations)
    return moved, f"slots of {variables} variables copied, {steps} steps"


@dataclasses.dataclass(frozen=True)
class _Slots:
    """The state of a built optimizer.

    Attributes:
        by_name: `{name: [slot of each trainable variable]}`.
        place: `{id of a trainable variable: its place in these lists}`.
        counters: What belongs to no variable, the number of steps above all; not
            the learning rate.
    """

    by_name: dict
    place: dict
    counters: list

    def of(self, variable):
        """The slots of one variable, none if it is not trained."""
        if id(variable) not in self.place:
            return []
        place = self.place[id(variable)]
        return [self.by_name[name][place] for name in sorted(self.by_name)]


def _optimizer(model):
    optimizer = getattr(model, "optimizer", None)
    # LossScaleOptimizer wraps the one that has the slots.
    return getattr(optimizer, "inner_optimizer", optimizer)


def _why_not(old, new):
    if old is None or new is None:
        return f"the {'source' if old is None else 'target'} is not compiled"
    if type(old) is not type(new):
        names = type(old).__name__, type(new).__name__
        return f"{names[0]} in the source, {names[1]} in the target"
    if not old.built:
        return "the optimizer of the source has made no step"
    return ""


def _slots(optimizer):
    """The `_Slots` of an optimizer; `None` if its variables are not all understood."""
    # Keras's optimizers hold each kind of slot in a list parallel to the variables.
    variables = optimizer._trainable_variables
    rest = {id(v): v for v in optimizer.variables}
    by_name = {
        name: list(slots)
        for name, slots in vars(optimizer).items()
        if isinstance(slots, list) and _are_slots(slots, variables, rest)
    }
    for slots in by_name.values():
        for slot in slots:
            del rest[id(slot)]
    counters = [v for v in rest.values() if v.name != "learning_rate"]
    if any(len(v.shape) for v in counters):
        return None
    return _Slots(by_name, {id(v): i for i, v in enumerate(variables)}, counters)


def _are_slots(slots, variables, own):
    return len(slots) == len(variables) and all(
        id(slot) in own and slot.shape == variable.shape
        for slot, variable in zip(slots, variables, strict=True)
    )
