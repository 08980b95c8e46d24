"""Vectors that were trained elsewhere, as the rows of a field's embedding table."""

import dataclasses
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_choice, explain
from tf_ctr.features.columns import column, raw_ids
from tf_ctr.features.field import known
from tf_ctr.features.ids import look_up, make_lookup_table
from tf_ctr.features.vector import Vector
from tf_ctr.rows import rows
from tf_ctr.rows.parts import located

if TYPE_CHECKING:
    from tf_ctr.features.categorical import Categorical

# What a schema file has in place of vectors that were not in a file.
IN_MEMORY = "(rows in memory)"


class Pretrained(NamedTuple):
    """The vectors of the ids of a field's vocabulary.

    Attributes:
        rows: Rows of the table, int64 `[N]`.
        vectors: Their vectors, float32 `[N, D]`.
    """

    rows: np.ndarray
    vectors: np.ndarray

    def line(self, field: "Categorical") -> str:
        """Returns one line that says how many of the field's ids have a vector."""
        ids, dim = len(known(field.vocabulary)), self.vectors.shape[1]
        found = len(self.rows)
        return (
            f"{field.name}: {found:,} of {ids:,} ids ({found / ids:.1%}) start from "
            f"pretrained vectors of {dim} numbers, {ids - found:,} as usual"
        )


def read_pretrained(field: "Categorical") -> Pretrained:
    """Reads the vectors of a field's ids from its `pretrained` rows.

    Vectors of other ids, of which there may be any number, are left out.

    Args:
        field: A fitted field with a vocabulary and `pretrained` rows.

    Raises:
        ValueError: If the rows do not have one column of ids and one of vectors, the
            vectors differ in length, no id has one, or an id has several; or if the
            schema was loaded from a file that does not hold them.
        TypeError: If the ids are of another type than the field's.
    """
    if isinstance(field.pretrained, str) and field.pretrained == IN_MEMORY:
        raise ValueError(
            explain(
                f"the pretrained rows of field {field.name!r}",
                "a schema from a file, which keeps a path, but no rows in memory",
                "give Categorical(pretrained=...) the path of a Parquet file, or build "
                "the model before the schema is saved",
            )
        )
    table = make_lookup_table(field)
    reader: Vector | None = None
    places, vectors = [np.zeros(0, np.int64)], []
    for place, frame in rows(field.pretrained).frames():
        with located(place):
            reader = reader or _reader(frame, field)
            if reader is None:
                continue
            key = _id_column(frame, field)
            ids = raw_ids(frame, dataclasses.replace(field, column=key))
            own = look_up(tf.constant(ids), field, table).numpy()
            is_known = own > field.num_oov
            found = reader.raw_values(frame[is_known])
        is_given = np.isfinite(found[:, 0])
        places.append(own[is_known][is_given])
        vectors.append(found[is_given])
    return _checked(np.concatenate(places), vectors, field)


def check_pretrained(field: "Categorical") -> None:
    """Raises unless the arguments for pretrained rows fit each other.

    Raises:
        ValueError: For a hashed field, or one frozen without rows.
    """
    check_choice("trainable", field.trainable, (True, False))
    if field.pretrained is not None and field.num_buckets is not None:
        raise ValueError(
            explain(
                "`pretrained` rows only for a field with a vocabulary",
                f"num_buckets={field.num_buckets} for field {field.name!r}, where "
                "several ids share a row",
                "leave num_buckets out",
            )
        )
    if field.pretrained is None and not field.trainable:
        raise ValueError(
            explain(
                "`trainable=False` only with `pretrained` rows",
                f"none for field {field.name!r}",
                "leave trainable out: rows that start at random must be trained",
            )
        )


def is_path(source: Any) -> bool:
    """Returns whether the source is the path of a file, which a schema can keep."""
    return isinstance(source, str | os.PathLike)


def _id_column(frame: pd.DataFrame, field: "Categorical") -> str:
    for name in (field.column, field.name, "id"):
        if name in frame.columns and frame.shape[1] == 2:
            return name
    raise ValueError(
        explain(
            f"two columns of the pretrained rows of field {field.name!r}: the ids in "
            f"{field.column!r}, and the vectors in any other",
            f"the columns {[*map(str, frame.columns)]}",
            "rename or select them, e.g. tf_ctr.data.rows(path, columns=["
            f"{field.column!r}, 'vector'])",
        )
    )


def _reader(frame: pd.DataFrame, field: "Categorical") -> Vector | None:
    """Returns a field that reads vectors as long as the first one; `None` for none."""
    ids = _id_column(frame, field)
    (name,) = (str(each) for each in frame.columns if each != ids)
    cells = column(frame, name)
    given = next((cell for cell in cells if cell.is_valid), None)
    if given is None:
        return None
    # What has no length is no vector, which its reader says.
    dim = len(given) if hasattr(given, "__len__") else 1
    return Vector("vector", dim, column=name)


def _checked(
    places: np.ndarray, vectors: list[np.ndarray], field: "Categorical"
) -> Pretrained:
    if not len(places):
        raise ValueError(
            explain(
                f"pretrained vectors of some ids of field {field.name!r}",
                f"none of the {len(known(field.vocabulary))} ids of the vocabulary",
                "check that the ids of both are the same, e.g. "
                f"{known(field.vocabulary)[0]!r}",
            )
        )
    found, counts = np.unique(places, return_counts=True)
    if len(found) < len(places):
        first = known(field.vocabulary)[found[counts > 1][0] - field.num_oov - 1]
        raise ValueError(
            explain(
                f"one pretrained vector for each id of field {field.name!r}",
                f"{counts.max()} for {first!r}, and {(counts > 1).sum()} such ids",
                "drop the repeated rows",
            )
        )
    return Pretrained(places, np.concatenate(vectors))
