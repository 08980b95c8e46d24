"""A warm start: weights by layer name, tables row by row, slots included."""

import dataclasses
import math

from tf_ctr.errors import explain
from tf_ctr.surgery.graph import is_table
from tf_ctr.surgery.names import chosen_part, select
from tf_ctr.surgery.rows import check_new_rows, fields_by_table, match_rows
from tf_ctr.surgery.weights import Copy, plan_weights

# Moments learned from the same rows in another order differ by rounding.
TOLERANCE = 1e-6


def warm_start(
    source,
    target,
    source_schema=None,
    target_schema=None,
    skip=(),
    strict=False,
    expected=(),
    optimizer=True,
    new_rows="initial",
):
    """Copies weights into an existing model, and says what it did.

    Layers are matched by name. A table takes, for each id that both vocabularies
    have, the row of that id, wherever it is on the two sides; and the rows of
    missing values, of unseen ids and of hash buckets where both sides have as many.
    If anything raises, nothing is copied.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        target: A model with layers named alike; changed in place.
        source_schema: The schema that `source` was built with. Without the schemas
            tables are copied by row number, and must be of one size.
        target_schema: The schema of `target`.
        skip: Patterns (`fnmatch`) of layers to leave alone, of parts of a
            `Sequential` (`"deep_*/norm"`), or of weights
            (`"deep_*/norm/moving_*"`).
        strict: Whether to raise if a layer is new, unused or resized, or a number is
            standardised differently. Otherwise the report says so.
        expected: Patterns of layers that may be so nevertheless, e.g.
            `("*_embedding",)` while vocabularies grow.
        optimizer: Whether the optimizer's slots and step count go along. They do if
            both models are compiled with one class of optimizer; the learning rate
            stays that of `target`.
        new_rows: `"initial"`: the row of a new id keeps its initial values.
            `"unseen"`: it starts as the row in which the source looked it up, one
            of its unseen ids; slots stay as they are.

    Returns:
        A `tf_ctr.transfer.WeightReport`: print it, or take its `to_frame()`.

    Raises:
        ValueError: If no name matches; a pattern names no layer; only one schema is
            given, or one of another model; tables differ in size without schemas;
            or by `strict`.

    Example:

    >>> import keras, pandas
    >>> from tf_ctr.features import Categorical, Schema
    >>> def model(schema):
    ...     inputs = schema.inputs()
    ...     rows = schema.field("item").table_size
    ...     table = keras.layers.Embedding(rows, 1, name="item_embedding")
    ...     return keras.Model(inputs, table(inputs["item"]))
    >>> old = Schema([Categorical("item", vocabulary=["a", "b"])])
    >>> new = Schema([Categorical("item", vocabulary=["c", "b"])])
    >>> print(warm_start(model(old), model(new), old, new))
             layer  action rows_copied rows_new rows_dropped        reason
    item_embedding resized           3        1            1 grown, shrunk
    0 copied, 1 resized, 0 new, 0 skipped, 0 unused
    optimizer: not copied: the source is not compiled
    """
    check_new_rows(new_rows)
    match = _matcher(source, target, source_schema, target_schema, new_rows)
    scales = () if source_schema is None else other_scales(source_schema, target_schema)
    plan = plan_weights(source, target, skip=skip, match=match)
    if source_schema is None:
        _refuse_resized_tables(plan, target)
    expected = select(expected, source, target)
    if strict:
        _refuse_unexpected(plan, expected)
        refuse_other_scales(scales)
    slots, message = [], "not asked for"
    if optimizer:
        slots, message = plan_slots(source, target, plan.copies)
    report = plan.run()
    for copy in slots:
        copy.run(start_new=False)
    return dataclasses.replace(report, optimizer=message, scales=scales)


def _matcher(source, target, source_schema, target_schema, new_rows):
    if source_schema is None and target_schema is None:
        return lambda name: None
    if source_schema is None or target_schema is None:
        raise ValueError(
            explain(
                "both schemas or none",
                "only one",
                "pass source_schema= and target_schema=",
            )
        )
    olds = fields_by_table(source, source_schema)
    news = fields_by_table(target, target_schema)

    def match(name):
        if name not in olds or name not in news:
            return None
        return match_rows(olds[name], news[name], new_rows)

    return match


def _refuse_resized_tables(plan, target):
    for name, (old, new) in plan.mismatched.items():
        if is_table(target.get_layer(name)) and old[0][0] != new[0][0]:
            raise ValueError(
                explain(
                    f"schemas, to match the rows of '{name}' by id",
                    f"none, and {old[0][0]} rows in the source, {new[0][0]} in the "
                    "target",
                    "pass source_schema= and target_schema=, or "
                    f"skip=('{name}',) to leave it as it is",
                )
            )


def _refuse_unexpected(plan, expected):
    wrong = [
        f"'{each.layer}' {each.action} ({each.reason})"
        for each in plan.layers
        if each.action in ("new", "unused", "resized")
        and not chosen_part(each.layer, expected)
    ]
    if wrong:
        raise ValueError(
            explain(
                "every layer to be copied as a whole, by strict=True",
                ", ".join(wrong),
                "name those that may differ in expected=, those to leave alone in "
                "skip=, or pass strict=False and read the report",
            )
        )


def other_scales(source_schema, target_schema) -> tuple:
    """Returns the numbers that mean something else to the target, in words.

    A weight that was trained on `(x - mean) / std` is wrong for another mean or
    another standard deviation, and no copy of weights can make up for it.

    Args:
        source_schema: A fitted `tf_ctr.Schema`.
        target_schema: Another one.

    Returns:
        A sentence per field that both have and only standardise differently.

    Example:

    >>> from tf_ctr.features import Numeric, Schema
    >>> one, other = (Schema([Numeric("age", mean=m, std=2.0)]) for m in (30.0, 40.0))
    >>> other_scales(one, other)
    ("'age': mean 30, std 2 in the source, mean 40, std 2 in the target",)
    """
    sources = _scales(source_schema)
    return tuple(
        f"'{name}': {_words(sources[name])} in the source, "
        f"{_words(scale)} in the target"
        for name, scale in _scales(target_schema).items()
        if name in sources and not _same(sources[name], scale)
    )


def refuse_other_scales(scales):
    """Raises if there is one, for a warm start that is to be strict."""
    if scales:
        raise ValueError(
            explain(
                "numbers on one scale in both schemas, by strict=True",
                "; ".join(scales),
                "give the target's field the source's moments, e.g. "
                "Numeric('age', mean=30.0, std=2.0), or pass strict=False",
            )
        )


def _scales(schema):
    return {
        field.name: field.scale for field in schema.fields if field.scale is not None
    }


def _same(one, other):
    spread = max(abs(one[1]), abs(other[1]), 1e-12)
    return all(
        math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE * spread)
        for a, b in zip(one, other, strict=True)
    )


def _words(scale):
    return "mean {:g}, std {:g}".format(*scale)


def plan_slots(source, target, copies):
    """Plans the copies of the optimizer's state that go with copies of weights.

    The slots of a row go where the row goes; those of new rows stay as they are. A
    target whose optimizer has no slots yet gets them.

    Args:
        source: The model to copy from.
        target: The model to copy to.
        copies: `tf_ctr.surgery.weights.Copy` of each variable.

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
