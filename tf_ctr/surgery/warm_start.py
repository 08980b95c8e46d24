"""Warm start: copies weights by layer name, tables row by row, and optimizer slots."""

import dataclasses
import math
import warnings
from collections.abc import Collection, Sequence

import keras

from tf_ctr.errors import check_choice, explain
from tf_ctr.features.schema import Schema
from tf_ctr.surgery.graph import is_table
from tf_ctr.surgery.names import chosen_part, select
from tf_ctr.surgery.report import WeightReport
from tf_ctr.surgery.rows import (
    NEW_ROWS,
    NewRows,
    RowMatch,
    match_rows,
    schema_fields,
)
from tf_ctr.surgery.same_ids import other_ids
from tf_ctr.surgery.slots import plan_slots
from tf_ctr.surgery.weights import Copy, Match, WeightPlan, plan_weights

# Moments that are learned from the same rows in another order differ by rounding.
TOLERANCE = 1e-6


def warm_start(
    source: keras.Model,
    target: keras.Model,
    source_schema: Schema | None = None,
    target_schema: Schema | None = None,
    skip: Sequence[str] = (),
    strict: bool = False,
    expected: Sequence[str] = (),
    optimizer: bool = True,
    new_rows: NewRows = "initial",
) -> WeightReport:
    """Copies weights into an existing model, and reports the outcome for each layer.

    Layers are matched by name. Tables are matched row by row: each id of both
    vocabularies keeps its row, wherever that is in the two tables. So do missing
    values; unseen ids and hash buckets do if both tables have equally many. If an error
    is raised, nothing is copied.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        target: A model with layers of the same names; changed in place.
        source_schema: The schema that `source` was built with. Without schemas, tables
            are copied by row number, and must be of the same size; a warning says if
            they are of other ids.
        target_schema: The schema of `target`.
        skip: Patterns (`fnmatch`) of layers not to change, of parts of a
            `Sequential` (`"deep_*/norm"`), or of weights
            (`"deep_*/norm/moving_*"`).
        strict: Whether to raise if a layer is new, unused or resized, or a number is
            standardised differently, instead of only reporting it.
        expected: Patterns of layers that may be new, unused or resized in spite of
            `strict`, e.g. `("*_embedding",)` while vocabularies grow.
        optimizer: Whether to copy the optimizer's slots and step count too. This needs
            two models compiled with the same class of optimizer; the learning rate
            stays that of `target`.
        new_rows: `"initial"`: the row of a new id keeps its initial values.
            `"unseen"`: it starts as a copy of the row for unseen ids in which the
            source looks the id up; its slots do not change.

    Returns:
        The report. `print` it, or call its `to_frame()`. It is also set as
        `target.weight_report`, for `tf_ctr.transfer.summary`.

    Raises:
        ValueError: If no name matches; a pattern names no layer; only one schema is
            given, or a schema is not that of its model; tables differ in size without
            schemas; or by `strict`.

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
    check_choice("new_rows", new_rows, NEW_ROWS)
    match = _matcher(source, target, source_schema, target_schema, new_rows)
    skipped = select(skip, source, target)
    plan = plan_weights(source, target, skip=skipped, match=match)
    scales: tuple[str, ...] = ()
    if source_schema is None or target_schema is None:
        _check_table_sizes(plan, target)
        _warn_of_other_ids(source, target, skipped)
    else:
        scales = other_scales(source_schema, target_schema)
    allowed = select(expected, source, target)
    if strict:
        _check_all_copied(plan, allowed, scales)
    slots: list[Copy] = []
    message = "not asked for"
    if optimizer:
        slots, message = plan_slots(source, target, plan.copies)
    report = dataclasses.replace(plan.run(), optimizer=message, scales=scales)
    for copy in slots:
        copy.run(start_new=False)
    target.weight_report = report
    return report


def _matcher(
    source: keras.Model,
    target: keras.Model,
    source_schema: Schema | None,
    target_schema: Schema | None,
    new_rows: NewRows,
) -> Match:
    """Returns a function from the name of a table to the match of its rows."""
    if source_schema is None or target_schema is None:
        if source_schema is target_schema:
            return lambda name: None
        raise ValueError(
            explain(
                "both schemas or none",
                "only one",
                "pass source_schema= and target_schema=",
            )
        )
    olds = schema_fields(source, source_schema)
    news = schema_fields(target, target_schema)

    def match(name: str) -> RowMatch | None:
        if name not in olds or name not in news:
            return None
        return match_rows(olds[name], news[name], new_rows)

    return match


def _check_table_sizes(plan: WeightPlan, target: keras.Model) -> None:
    for name, (old, new) in plan.mismatched.items():
        if is_table(target.get_layer(name)) and old[0][0] != new[0][0]:
            raise ValueError(
                explain(
                    f"schemas, to match the rows of '{name}' by id",
                    f"none, and {old[0][0]} rows in the source, {new[0][0]} in the "
                    "target",
                    "pass source_schema= and target_schema=, or "
                    f"skip=('{name}',) to leave it unchanged",
                )
            )


def _warn_of_other_ids(
    source: keras.Model, target: keras.Model, skipped: Collection[str]
) -> None:
    wrong = [name for name in other_ids(source, target) if name not in skipped]
    if wrong:
        warnings.warn(
            explain(
                f"schemas, to match the rows of {wrong} by id",
                "none, so that rows are matched by number, which are of other ids in "
                "the target",
                "pass source_schema= and target_schema=, or leave these tables out",
            ),
            stacklevel=4,
        )


def _check_all_copied(
    plan: WeightPlan, expected: Collection[str], scales: Sequence[str]
) -> None:
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
                "name layers that may differ in expected=, layers to leave unchanged "
                "in skip=, or pass strict=False and read the report",
            )
        )
    if scales:
        raise ValueError(
            explain(
                "numbers on one scale in both schemas, by strict=True",
                "; ".join(scales),
                "give the target's field the source's moments, e.g. "
                "Numeric('age', mean=30.0, std=2.0), or pass strict=False",
            )
        )


def other_scales(source_schema: Schema, target_schema: Schema) -> tuple[str, ...]:
    """Returns the numbers that the two schemas standardise differently, in words.

    A weight that was trained on `(x - mean) / std` is wrong for another mean or
    standard deviation, and no copy of weights can correct it.

    Args:
        source_schema: A fitted `tf_ctr.Schema`.
        target_schema: Another fitted `tf_ctr.Schema`.

    Returns:
        A sentence for each field that both schemas standardise, but differently.

    Example:

    >>> from tf_ctr.features import Numeric, Schema
    >>> one, other = (Schema([Numeric("age", mean=m, std=2.0)]) for m in (30.0, 40.0))
    >>> other_scales(one, other)
    ("'age': mean 30, std 2 in the source, mean 40, std 2 in the target",)
    """
    olds, news = (
        {field.name: field.scale for field in schema.fields if field.scale}
        for schema in (source_schema, target_schema)
    )
    words = "mean {:g}, std {:g}".format
    return tuple(
        f"'{name}': {words(*olds[name])} in the source, {words(*new)} in the target"
        for name, new in news.items()
        if name in olds and not _same(olds[name], new)
    )


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    spread = max(abs(one[1]), abs(other[1]), 1e-12)
    return all(
        math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE * spread)
        for a, b in zip(one, other, strict=True)
    )
