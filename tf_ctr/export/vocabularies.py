"""Vocabularies as assets of a SavedModel, and the lookup tables that read them.

A vocabulary in `saved_model.pb` is copied with every copy of the graph, and counts
towards the 2 GB that a protocol buffer can hold. An asset is a file of its own: it is
written once, in parts, and only read when the tables are initialised.

A part holds int64 ids as they are in memory, and strings as a `tf.train.Example`, which
TensorFlow parses into a tensor without a copy in between. A text file with a line per
id, as `tf.lookup.TextFileInitializer` reads it, cannot hold every id: TensorFlow's
`io/inputbuffer.cc` (`InputBuffer::ReadLine`) ends an id at a line feed, and drops
carriage returns.
"""

import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Not public: pinned by a test. The base of every initializer of a table.
from tensorflow.python.ops.lookup_ops import TableInitializerBase

from tf_ctr.features.categorical import Categorical
from tf_ctr.features.field import Field
from tf_ctr.features.ids import default_row, lookup_keys, lookup_rows

# The feature of the `tf.train.Example`.
IDS = "ids"

# Bytes of text in a part, far below the 2 GiB of a protocol buffer.
PART_BYTES = 2**28


class Part(NamedTuple):
    """A file with some of the keys of a lookup table.

    Attributes:
        path: The file.
        size: How many keys it holds.
    """

    path: pathlib.Path
    size: int


class VocabularyInitializer(TableInitializerBase):
    """Initialises a lookup table from the parts of a vocabulary.

    TensorFlow Serving initialises it as it does a `TextFileInitializer`: the paths of
    assets are fed to the operation that initialises the version
    (`tensorflow/cc/saved_model/loader_util.cc`, `GetAssetFileDefs`, and `loader.cc`,
    `RunInitOp`).

    Args:
        parts: The files, in the order of their rows.
        dtype: `"string"` or `"int64"`.
        num_oov: Rows for unseen ids, which come before the ids' own.
    """

    def __init__(self, parts: list[Part], dtype: str, num_oov: int) -> None:
        super().__init__(dtype, tf.int64)
        self._num_oov = num_oov
        self._sizes = [part.size for part in parts]
        self._assets = [tf.saved_model.Asset(str(part.path)) for part in parts]
        for number, asset in enumerate(self._assets):
            self._track_trackable(asset, f"_part_{number}")

    def initialize(self, table: tf.lookup.StaticHashTable) -> tf.Operation | None:
        """Reads the keys and fills the table, where TensorFlow traces it for a version.

        The table of this process is only saved, and stays empty: a large vocabulary
        would take its memory once more.
        """
        if tf.executing_eagerly():
            return None
        with tf.name_scope("vocabulary"):
            pairs = zip(self._assets, self._sizes, strict=True)
            keys = tf.concat([self._read(*pair) for pair in pairs], 0)
            rows = lookup_rows(sum(self._sizes), self._num_oov)
            return tf.raw_ops.LookupTableImportV2(
                table_handle=table.resource_handle, keys=keys, values=rows
            )

    def _read(self, asset, count):
        content = tf.io.read_file(asset.asset_path)
        if self.key_dtype == tf.int64:
            return tf.io.decode_raw(content, tf.int64)
        feature = tf.io.FixedLenFeature([count], tf.string)
        return tf.io.parse_single_example(content, {IDS: feature})[IDS]


def table_from_file(
    field: Field, directory: pathlib.Path
) -> tf.lookup.StaticHashTable | None:
    """Writes a field's vocabulary, and returns a lookup table that reads it.

    Args:
        field: A fitted field.
        directory: Where to write the files, `{field}.{part}.ids`; they must stay until
            the table is saved.

    Returns:
        The table; `None` for a field without a vocabulary.
    """
    if not (isinstance(field, Categorical) and field.has_vocabulary):
        return field.lookup_table()
    parts: list[Part] = []
    for count, content in _contents(field):
        parts.append(Part(directory / f"{field.name}.{len(parts)}.ids", count))
        parts[-1].path.write_bytes(content)
    initializer = VocabularyInitializer(parts, str(field.dtype), field.num_oov)
    return tf.lookup.StaticHashTable(initializer, default_row(field))


def _contents(field: Categorical) -> Iterator[tuple[int, bytes]]:
    """Yields how many keys each part has, and its content."""
    for keys in lookup_keys(field):
        if keys.dtype == np.int64:  # As `tf.io.decode_raw` reads it anywhere.
            yield len(keys), keys.astype("<i8").tobytes()
            continue
        texts: list[bytes] = []
        size = 0
        for text in map(str.encode, keys):
            if texts and size + len(text) > PART_BYTES:
                yield len(texts), _example(texts)
                texts, size = [], 0
            texts.append(text)
            size += len(text)
        yield len(texts), _example(texts)


def _example(texts):
    feature = {IDS: tf.train.Feature(bytes_list=tf.train.BytesList(value=texts))}
    return tf.train.Example(
        features=tf.train.Features(feature=feature)
    ).SerializeToString()
