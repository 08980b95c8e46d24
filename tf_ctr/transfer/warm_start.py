"""A warm start: weights by layer name, tables row by row, slots included."""

import dataclasses

from tf_ctr.errors import explain
from tf_ctr.transfer.layer_names import chosen_part, select
from tf_ctr.transfer.scales import other_scales, refuse_other_scales
from tf_ctr.transfer.slots import plan_slots
from tf_ctr.transfer.table_rows import check_new_rows, fields_by_table, match_rows
from tf_ctr.transfer.tables import is_table
from tf_ctr.transfer.weight_plan import plan_weights


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
