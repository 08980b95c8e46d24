"""Encoded rows as two matrices: what is shuffled and gathered on the way to a batch."""

import numpy as np
import pandas as pd
import pyarrow as pa
import tensorflow as tf

from tf_ctr.data.batching import in_parts
from tf_ctr.features import columns


class Packing:
    """Lays the encoded fields of a block of rows side by side.

    Gathering a row of a matrix is several times cheaper than gathering it from thirty
    arrays. Ids are held as int32: no embedding table has 2**31 rows.

    Args:
        schema: The fitted schema.
        labelled: Whether batches have a label.
    """

    def __init__(self, schema, labelled: bool):
        schema.check_fitted()
        self._schema = schema
        self._labelled = labelled
        self._ids = [field for field in schema.fields if field.table is not None]
        self._numbers = [field for field in schema.fields if field.table is None]

    @property
    def signature(self):
        """The specification of what `pack` returns."""
        width = sum(map(_width, self._ids))
        ids = tf.TensorSpec([None, width], tf.int32)
        return ids, tf.TensorSpec([None, len(self._numbers) + 1], tf.float32)

    @property
    def columns(self) -> list[str]:
        """The columns that `pack_frame` needs."""
        names = [field.name for field in self._schema.fields]
        return [*names, self._schema.label] if self._labelled else names

    def pack_frame(self, frame):
        """Encodes the rows of a frame, checked; returns what `pack` does."""
        raw, places = {}, {}
        for field in self._schema.fields:
            if field.dtype == "string" and not field.multivalent:
                distinct, place = columns.distinct_raw_ids(frame, field)
                raw[field.name], places[field.name] = distinct, place
            else:
                raw[field.name] = field.raw_values(frame)
        label = np.zeros(len(frame), np.float32)
        if self._labelled:
            label = self._schema.labels(frame)
        # On the CPU, where the batches are put together.
        with tf.device("CPU:0"):
            return self.pack(raw, label, places)

    def pack(self, raw, label, places=None):
        """Encodes raw columns.

        Args:
            raw: Raw values of every field, as `Schema.encode` takes them.
            label: `[B]`.
            places: For fields of which `raw` has the distinct values only: per row
                its place in them. Strings are costly one by one.

        Returns:
            The ids, int32 `[B, I]`, and the numbers, float32 `[B, N + 1]`; the last
            column of the numbers is the label.
        """
        encoded = self._schema.encode(raw)
        for name, place in (places or {}).items():
            encoded[name] = tf.gather(encoded[name], place)
        ids = [
            tf.reshape(tf.cast(encoded[field.name], tf.int32), [-1, _width(field)])
            for field in self._ids
        ]
        numbers = [encoded[field.name] for field in self._numbers]
        # An empty first part: there may be no field with ids.
        nothing = tf.zeros([tf.shape(label)[0], 0], tf.int32)
        ids = tf.concat([nothing, *ids], axis=1)
        return ids, tf.concat([*numbers, label[:, tf.newaxis]], axis=1)

    def unpack(self, ids, numbers):
        """Returns a batch: `({field: tensor}, label)`, or the features alone."""
        ids = tf.cast(ids, tf.int64)
        features, start = {}, 0
        for field in self._ids:
            part = ids[:, start : start + _width(field)]
            features[field.name] = part if field.multivalent else part[:, 0]
            start += _width(field)
        for index, field in enumerate(self._numbers):
            features[field.name] = numbers[:, index : index + 1]
        features = {field.name: features[field.name] for field in self._schema.fields}
        return (features, numbers[:, -1]) if self._labelled else features


def _width(field):
    return field.max_length if field.multivalent else 1


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Returns a frame over the memory of an Arrow table."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def check_types(arrow_schema, packing, file):
    """Raises if a file with columns of these types cannot be packed."""
    try:
        packing.pack_frame(to_frame(arrow_schema.empty_table()))
    except (TypeError, ValueError) as error:
        error.add_note(f"In {file}.")
        raise


def packed_blocks(readers, packing, shuffle, seed) -> tf.data.Dataset:
    """Returns a dataset of packed blocks of rows.

    Args:
        readers: Functions that return a part of the data each, as an iterator of
            Arrow record batches.
        packing: Encodes and packs the blocks.
        shuffle: Whether to read the parts in a new random order per epoch.
        seed: The seed of that order.
    """

    def read(part):
        for batch in readers[part]():
            if batch.num_rows:
                yield packing.pack_frame(to_frame(pa.Table.from_batches([batch])))

    def read_part(part):
        return tf.data.Dataset.from_generator(
            read, output_signature=packing.signature, args=(part,)
        )

    return in_parts(len(readers), read_part, shuffle, seed)
