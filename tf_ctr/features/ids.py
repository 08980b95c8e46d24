"""Maps raw ids to rows of an embedding table, for every field that holds ids."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.features.columns import NUMPY_TYPE
from tf_ctr.features.field import Field, Id, known

if TYPE_CHECKING:
    from tf_ctr.features.categorical import Categorical

# A lookup table returns this for unseen ids if there are several rows to choose from.
UNSEEN = -1

# Ids that are turned into an array at a time: Python's strings take much memory.
CHUNK = 250_000
UNSEEN_BLOCK = 64


def make_lookup_table(field: "Categorical") -> tf.lookup.StaticHashTable:
    """Returns a table from the ids of a fitted field's vocabulary to their rows."""
    keys = tf.constant(np.concatenate(list(lookup_keys(field))))
    rows = lookup_rows(tf.size(keys), field.num_oov)
    initializer = tf.lookup.KeyValueTensorInitializer(keys, rows)
    return tf.lookup.StaticHashTable(initializer, default_row(field))


def lookup_keys(
    field: "Categorical", chunk: int = CHUNK
) -> Iterator[np.ndarray[Any, Any]]:
    """Yields the keys of a field's lookup table in chunks: padding, then the ids.

    With the padding value as a key, the same lookup maps missing ids to row 0.
    """
    kind = NUMPY_TYPE[known(field.dtype)]
    yield np.array([field.padding], kind)
    ids = known(field.vocabulary)
    for start in range(0, len(ids), chunk):
        yield np.array(ids[start : start + chunk], kind)


def lookup_rows(count: int | tf.Tensor, num_oov: int) -> tf.Tensor:
    """Returns the row of each of `count` keys of a lookup table, int64 `[count]`."""
    count = tf.cast(count, tf.int64)
    return tf.concat([[tf.constant(0, tf.int64)], num_oov + tf.range(1, count)], 0)


def default_row(field: "Categorical") -> int:
    """Returns what a field's lookup table gives for an id that is no key of it."""
    return 1 if field.num_oov == 1 else UNSEEN


def look_up(
    ids: tf.Tensor, field: "Categorical", table: tf.lookup.StaticHashTable | None
) -> tf.Tensor:
    """Returns the row of each raw id, int64 of the shape of `ids`.

    Args:
        ids: Raw ids of the field's dtype, of any shape.
        field: The fitted field that owns the embedding table.
        table: The result of `make_lookup_table(field)`; `None` for a hashed field.
    """
    if table is None:
        rows = hashed_rows(ids, known(field.num_buckets))
        return tf.where(ids == field.padding, tf.zeros_like(rows), rows)
    rows = table.lookup(ids)
    if field.num_oov == 1:
        return rows
    return tf.where(rows == UNSEEN, hashed_rows(ids, field.num_oov), rows)


def hashed_rows(ids: tf.Tensor, count: int) -> tf.Tensor:
    """Returns a row in `1..count` for each id, chosen by its hash."""
    # Integers are hashed as text, so that a column keeps its rows as strings.
    text = ids if ids.dtype == tf.string else tf.strings.as_string(ids)
    return 1 + tf.strings.to_hash_bucket_fast(text, count)


def fixed_length(rows: tf.Tensor, length: int, newest: bool) -> tf.Tensor:
    """Moves the ids of each row to the left, and cuts or pads them to one length.

    All padding is dropped before the cut, because clients pad a batch to its longest
    row.

    Args:
        rows: Rows of a table, `[B, T]`, 0 for padding.
        length: The new length.
        newest: Whether to keep the last ids of a longer list, not the first ones.

    Returns:
        `[B, length]`.
    """
    ids = tf.ragged.boolean_mask(rows, rows > 0)
    ids = ids[:, -length:] if newest else ids[:, :length]
    return ids.to_tensor(0, shape=[None, length])


def example_ids(
    field: "Categorical", n: int, generator: np.random.Generator
) -> list[Id | None]:
    """Returns `n` random ids of a fitted field, a tenth `None` and a tenth unseen."""
    unseen = list(itertools.islice(unseen_ids(field), 10))
    drawn_from = field.vocabulary or unseen
    chances = generator.random(n)
    places = generator.integers(len(drawn_from), size=n)
    ids: list[Id | None] = [drawn_from[place] for place in places]
    for row in np.flatnonzero(chances < 0.2):
        missing = chances[row] < 0.1
        ids[row] = None if missing else unseen[int(chances[row] * 1e6) % len(unseen)]
    return ids


def example_id_lists(
    field: "Categorical", max_length: int, n: int, generator: np.random.Generator
) -> pd.Series:
    """Returns `n` lists of up to `max_length` random ids; see `example_ids`."""
    lengths = generator.integers(0, max_length + 1, n)
    ids = iter(example_ids(field, lengths.sum(), generator))
    lists = [list(itertools.islice(ids, length)) for length in lengths]
    return pd.Series(lists, dtype=object)


def unseen_ids(field: Field) -> Iterator[Id]:
    """Yields endless ids that are neither in the vocabulary nor padding."""
    for start in itertools.count(step=UNSEEN_BLOCK):
        numbers = range(start, start + UNSEEN_BLOCK)
        block = [n if field.dtype == "int64" else f"unseen_{n}" for n in numbers]
        # The few are compared with the many: a set of a vocabulary is large.
        unseen = set(block).difference(field.vocabulary or (), [field.padding])
        yield from (each for each in block if each in unseen)
