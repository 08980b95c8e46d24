"""Packs encoded rows into two matrices, which are cheap to shuffle and cut."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.features import Schema, columns
from tf_ctr.features.reading import needed_columns

# Features; with a label; with a label and a weight, each a dict for several labels.
Features = dict[str, tf.Tensor]
Batch = Features | tuple[Any, ...]


class Packing:
    """Lays the encoded fields of a block of rows side by side.

    Gathering a row from a matrix is several times cheaper than gathering it from thirty
    arrays. Ids are int32, because no embedding table has 2**31 rows.

    Args:
        schema: The fitted schema.
        labelled: Whether batches have a label and, if the schema has one, a weight.

    Raises:
        ValueError: For a schema that is not fitted.
    """

    def __init__(self, schema: Schema, labelled: bool):
        schema.check_fitted()
        self._schema = schema
        # The last columns of the numbers. Without any, there is one that is not used.
        self._outcomes = schema.outcomes.columns if labelled else []
        # The columns of weights, the very last ones, if the batches have them.
        self.weights = schema.outcomes.weights if labelled else []
        self._ids = [field for field in schema.fields if field.table is not None]
        self._numbers = [field for field in schema.fields if field.table is None]
        self._num_numbers = sum(field.width for field in self._numbers)

    @property
    def signature(self) -> tuple[tf.TensorSpec, tf.TensorSpec]:
        """The specification of the two matrices that `pack` returns."""
        width = sum(field.width for field in self._ids)
        ids = tf.TensorSpec([None, width], tf.int32)
        width = self._num_numbers + max(len(self._outcomes), 1)
        return ids, tf.TensorSpec([None, width], tf.float32)

    @property
    def columns(self) -> list[str]:
        """The columns that `pack_frame` needs."""
        return needed_columns(self._schema.fields, self._outcomes)

    def check(self, header: pd.DataFrame) -> None:
        """Raises unless frames with the columns of an empty one can be packed.

        Raises:
            ValueError: For a missing column.
            TypeError: For a column whose type does not fit its field.
        """
        self.pack_frame(header)

    def pack_frame(self, frame: pd.DataFrame) -> tuple[tf.Tensor, tf.Tensor]:
        """Checks, encodes and packs the rows of a frame; returns the same as `pack`.

        Raises:
            ValueError: For a missing column, a label other than 0 and 1, or a weight
                that is negative or not finite.
            TypeError: For a column whose values do not fit its field.
        """
        raw, places = {}, {}
        crossed: set[str] = set().union(*(f.parts or () for f in self._schema.fields))
        for field in self._schema.raw_fields:
            is_text = field.dtype == "string" and not field.multivalent
            if is_text and field.name not in crossed:
                distinct, place = columns.distinct_raw_ids(frame, field)
                raw[field.name], places[field.name] = distinct, place
            else:
                raw[field.name] = field.raw_values(frame)
        outcomes = self._schema.outcomes.read(frame) if self._outcomes else {}
        # On the CPU, where the batches are put together.
        with tf.device("CPU:0"):
            return self.pack(raw, outcomes, places)

    def pack(
        self,
        raw: Mapping[str, Any],
        outcomes: Mapping[str, np.ndarray | tf.Tensor],
        places: Mapping[str, np.ndarray] | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Encodes raw columns, and packs them into two matrices.

        Args:
            raw: Raw values of every field, as `Schema.encode` takes them.
            outcomes: Labels and weights, `{column: [B]}`, if the batches have them.
            places: For each field whose `raw` holds only distinct values, the index of
                each row's value among them, `[B]`. Looking up strings is slow, so each
                string is looked up once.

        Returns:
            The ids, int32 `[B, I]`, and the numbers, float32 `[B, N + K]`; the last
            columns of the numbers are the K outcomes, at least one.
        """
        encoded = self._schema.encode(raw)
        for name, place in (places or {}).items():
            encoded[name] = tf.gather(encoded[name], place)
        ids = [
            tf.reshape(tf.cast(encoded[field.name], tf.int32), [-1, field.width])
            for field in self._ids
        ]
        numbers = [encoded[field.name] for field in self._numbers]
        rows = tf.shape(encoded[self._schema.fields[0].name])[0]
        # `concat` needs at least one part, also in a schema without ids.
        ids = tf.concat([tf.zeros([rows, 0], tf.int32), *ids], axis=1)
        last = [outcomes[name] for name in self._outcomes] or [tf.zeros([rows])]
        return ids, tf.concat([*numbers, tf.stack(last, axis=1)], axis=1)

    def unpack(self, ids: tf.Tensor, numbers: tf.Tensor) -> Batch:
        """Returns packed rows as `({field: tensor}, label)`, or as features only.

        Args:
            ids: int32 `[B, I]`, as `pack` returns them.
            numbers: float32 `[B, N + K]`, as `pack` returns them. With weights, they
                are the last element of the batch.
        """
        ids = tf.cast(ids, tf.int64)
        features, start = {}, 0
        for field in self._ids:
            part = ids[:, start : start + field.width]
            features[field.name] = part if field.multivalent else part[:, 0]
            start += field.width
        start = 0
        for field in self._numbers:
            features[field.name] = numbers[:, start : start + field.width]
            start += field.width
        features = {field.name: features[field.name] for field in self._schema.fields}
        if not self._outcomes:
            return features
        first = self._num_numbers
        values = {n: numbers[:, first + i] for i, n in enumerate(self._outcomes)}
        one = tf.ones_like(numbers[:, first])
        return features, *self._schema.outcomes.of_batch(values, one)
