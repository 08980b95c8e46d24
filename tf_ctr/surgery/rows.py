"""Matches the rows of two tables by the ids that they stand for."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from tf_ctr.errors import check_choice, explain
from tf_ctr.features.field import Field
from tf_ctr.features.ids import hashed_rows
from tf_ctr.features.schema import Schema
from tf_ctr.surgery.graph import Graph

NewRows = Literal["initial", "unseen"]

NEW_ROWS: tuple[NewRows, ...] = ("initial", "unseen")


@dataclasses.dataclass(frozen=True)
class RowMatch:
    """The rows of a target table and the rows of a source table that they copy.

    Attributes:
        target: Rows of the target that the source also has, int `[n]`.
        source: The same rows in the source, int `[n]`.
        started: Rows of new ids that start from another row of the source.
        started_from: The rows of the source that they start from.
        num_new: Rows of the target that the source does not have.
        num_dropped: Rows of the source that the target does not have.
    """

    target: np.ndarray
    source: np.ndarray
    started: np.ndarray
    started_from: np.ndarray
    num_new: int
    num_dropped: int

    @property
    def reordered(self) -> bool:
        """Whether a row has another number in the target."""
        return not np.array_equal(self.target, self.source)

    @property
    def identical(self) -> bool:
        """Whether both tables have the same rows in the same order."""
        return not (self.num_new or self.num_dropped or self.reordered)

    @property
    def reason(self) -> str:
        """The differences in words, e.g. `"grown, reordered"`."""
        changes = {
            "grown": self.num_new,
            "shrunk": self.num_dropped,
            "reordered": self.reordered,
        }
        return ", ".join(word for word, happened in changes.items() if happened)


def match_rows(
    source_field: Field, target_field: Field, new_rows: NewRows = "initial"
) -> RowMatch:
    """Finds the rows of one table in another, by their keys.

    Ids match ids, and the row of missing values matches that of the other table.
    Buckets of unseen or hashed ids match by number if both tables have equally many;
    bins match by their boundaries.

    Args:
        source_field: The field of the source's schema.
        target_field: The field of the target's schema.
        new_rows: `"initial"`: new rows keep their initial values. `"unseen"`: the row
            of a new id starts from the row for unseen ids in which the source looks
            the id up.

    Returns:
        The match.

    Raises:
        ValueError: If `new_rows` is unknown.
    """
    check_choice("new_rows", new_rows, NEW_ROWS)
    source, target = source_field.owner, target_field.owner
    if source.layout == target.layout:
        rows, none = np.arange(source.table_size or 0), np.arange(0)
        return RowMatch(rows, rows, none, none, num_new=0, num_dropped=0)
    place = {key: row for row, key in enumerate(source.row_keys())}
    keys = target.row_keys()
    found = np.array([place.get(key, -1) for key in keys])
    known, new = np.flatnonzero(found >= 0), np.flatnonzero(found < 0)
    started, started_from = new[:0], new[:0]
    if new_rows == "unseen" and source.has_vocabulary:
        started = new[[not isinstance(keys[row], tuple) for row in new]]
        ids = [keys[row] for row in started]
        if ids:
            started_from = hashed_rows(tf.constant(ids), source.num_oov).numpy()
    return RowMatch(
        target=known,
        source=found[known],
        started=started,
        started_from=started_from,
        num_new=len(new),
        num_dropped=len(place) - len(known),
    )


def schema_fields(model: keras.Model, schema: Schema) -> dict[str, Field]:
    """Returns `{table: the field whose ids are looked up in it}`.

    Raises:
        ValueError: If the schema lacks such a field or has another number of rows for
            it, or a table may belong to several fields.
    """
    fields = {}
    for table, names in Graph(model).inputs_by_table.items():
        fields[table] = field = _field_of(table, names, schema)
        layer = model.get_layer(table)
        rows, kept = layer.input_dim, getattr(layer, "ids", None)
        ids = schema.fingerprints[field.table or ""]
        if rows != field.table_size or kept not in (None, ids):
            of_rows = f"{field.table_size} rows"
            other = "other ids in " if rows == field.table_size else ""
            raise ValueError(
                explain(
                    f"the schema that '{model.name}' was built with, "
                    f"{rows} rows in '{table}'",
                    f"a schema of {other}{of_rows} for field '{field.name}'",
                    "pass each model's own schema, in the same order as the models",
                )
            )
    return fields


def _field_of(table: str, names: Sequence[str], schema: Schema) -> Field:
    """Returns the field of a table, from those that the looked-up ids depend on.

    In a joint model they also depend on the domain; the table's name then decides.
    """
    owners = {schema.field(name).owner.name: schema.field(name) for name in names}
    owners = {name: field for name, field in owners.items() if field.table}
    named = [name for name in owners if table.startswith(f"{name}_")]
    if named:
        return owners[max(named, key=len)]
    if len({field.owner.layout for field in owners.values()}) != 1:
        raise ValueError(
            explain(
                f"one field whose ids are looked up in '{table}'",
                f"ids that depend on the inputs {names}",
                "name the table '{field}_...', or pass no schemas",
            )
        )
    return next(iter(owners.values()))
