"""Encoded rows as two matrices: what is shuffled and gathered on the way to a batch."""

import tensorflow as tf


class Packing:
    """Lays the encoded fields of a block of rows side by side.

    Gathering a row of a matrix is several times cheaper than gathering it from thirty
    arrays. Ids are held as int32: no embedding table has 2**31 rows.

    Args:
        schema: The fitted schema.
        labelled: Whether batches have a label.
    """

    def __init__(self, schema, labelled: bool):
        self._schema = schema
        self._labelled = labelled
        self._ids = [field for field in schema.fields if field.table is not None]
        self._numbers = [field for field in schema.fields if field.table is None]

    def pack(self, raw, places, label):
        """Encodes a block of raw columns.

        Args:
            raw: Raw values of every field, as `Schema.encode` takes them.
            places: For fields whose raw values are the distinct ones only: per row
                its place in them.
            label: `[B]`.

        Returns:
            The ids, int32 `[B, I]`, and the numbers, float32 `[B, N + 1]`; the last
            column of the numbers is the label.
        """
        encoded = self._schema.encode(raw)
        for name, place in places.items():
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
        widths = [_width(field) for field in self._ids]
        columns = tf.split(tf.cast(ids, tf.int64), widths, axis=1)
        features = {
            field.name: column if field.multivalent else column[:, 0]
            for field, column in zip(self._ids, columns, strict=True)
        }
        for index, field in enumerate(self._numbers):
            features[field.name] = numbers[:, index : index + 1]
        features = {field.name: features[field.name] for field in self._schema.fields}
        return (features, numbers[:, -1]) if self._labelled else features


def _width(field):
    return field.max_length if field.multivalent else 1
