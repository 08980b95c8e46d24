"""Writes encoded rows once, and reads them with a few percent of a training step."""

import dataclasses
import hashlib
import os
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

from tf_ctr.data.batching import batches, check_arguments, in_parts, with_cardinality
from tf_ctr.data.packing import Packing
from tf_ctr.data.shards import check_shard, own_parts
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_rows
from tf_ctr.features.reading import rows_of
from tf_ctr.files import read_sealed, whole_folder, write_sealed
from tf_ctr.rows import Source
from tf_ctr.rows.parts import located

NOTE, FORMAT = "cache.json", 1
BLOCK_ROWS = 1 << 13
# Few enough rows that shuffling and shards have files to choose from.
FILE_ROWS = 1 << 17
# Files that take turns when shuffled. An open one takes a buffer of 256 KiB.
OPEN_FILES = 32


def to_cache(
    source: Source,
    schema: Schema,
    path: str | os.PathLike,
    labelled: bool = True,
    verbose: int = 0,
) -> None:
    """Encodes rows by a schema and writes them, for `from_cache`.

    The rows take four bytes per id or number, in TFRecord files of packed blocks. An
    existing cache is replaced in one step; a killed call leaves it as it was.

    Args:
        source: Rows of any kind that `tf_ctr.data.rows` opens, e.g. `"log/"`.
        schema: A fitted schema. Another one needs another cache.
        path: The folder to write.
        labelled: Whether to write labels, and weights if the schema has them.
        verbose: 1 for a progress bar.

    Raises:
        ValueError: For a missing column, a wrong label, no row, or a path at which
            there is something else than a cache.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> import pathlib, tempfile, pandas
    >>> from tf_ctr.data import from_cache, to_cache
    >>> from tf_ctr.features import Categorical, Schema
    >>> schema = Schema([Categorical("item", vocabulary=["a", "b"])])
    >>> frame = pandas.DataFrame({"item": ["a", "b"], "click": [0, 1]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_cache(frame, schema, pathlib.Path(folder, "cache"))
    ...     for features, label in from_cache(pathlib.Path(folder, "cache"), schema):
    ...         print(features["item"].numpy(), label.numpy())
    [2 3] [0. 1.]
    """
    path = pathlib.Path(path)
    if path.exists() and not (path / NOTE).exists():
        raise ValueError(
            explain(
                "a new folder, or that of a cache, to write to",
                f"{path}, which holds something else",
                f"pass a name that is not taken, e.g. {path / 'cache'}",
            )
        )
    packing = Packing(schema, labelled)
    opened = rows_of(source, schema.fields)
    bar = keras.utils.Progbar(opened.count, verbose=verbose, unit_name="row")
    with whole_folder(path) as folder, _Writer(folder) as writer:
        for place, frame in opened.frames(packing.columns, packing.check):
            with located(place):
                ids, numbers = packing.pack_frame(frame)
            for start in range(0, len(frame), BLOCK_ROWS):
                end = start + BLOCK_ROWS
                writer.write(ids[start:end].numpy(), numbers[start:end].numpy())
            bar.update(sum(writer.counts.values()))
        check_rows(len(writer.counts))
        note = {"format": FORMAT, "labelled": labelled, "schema": _sum(schema)}
        write_sealed(folder / NOTE, {**note, "rows": writer.counts})
    if opened.count is None:
        bar.update(sum(writer.counts.values()), finalize=True)


def from_cache(
    path: str | os.PathLike,
    schema: Schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
    shuffle_blocks: int = 8,
    shard: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """Returns the rows that `to_cache` wrote as batches, for files larger than memory.

    TensorFlow reads them without Python: at `pipelines.benchmarks.input`'s defaults
    with a few percent of a training step, also behind a `tf.data` service in another
    process.

    Args:
        path: The folder.
        schema: The schema that the cache was written with.
        batch_size: Rows per batch.
        shuffle: Whether to give each epoch a new random order of the files, of 131,072
            rows each, to read 32 of them in turns, and to mix the rows of
            `shuffle_blocks` blocks at a time.
        seed: The seed of the orders. The same seed gives the same epochs again. Every
            pass over the dataset is a new epoch.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label; pass `False` for prediction.
        shuffle_blocks: Blocks of 65,536 rows to mix at a time. More blocks mix better
            and take more memory.
        shard: As for `from_rows`, by files.

    Returns:
        A dataset of the batches that `from_rows` gives.

    Raises:
        FileNotFoundError: If there is no cache.
        ValueError: If it was written with another schema or is damaged, or for a wrong
            argument. A file that is damaged further down raises
            `tf.errors.DataLossError` while the dataset is read.
    """
    check_arguments(batch_size, seed, shuffle_blocks)
    path = pathlib.Path(path)
    note = _note(path, schema, labelled)
    # Behind the outcomes, if there are some that are not asked for.
    packing, written = Packing(schema, labelled), Packing(schema, note["labelled"])
    parts = [_File(str(path / name), count) for name, count in note["rows"].items()]
    steps = None
    if shard is not None:
        parts, steps = own_parts(parts, check_shard(shard), batch_size, drop_remainder)
    names = tf.constant([part.path for part in parts])

    def read(part):
        return tf.data.TFRecordDataset(names[part])

    widths = [spec.shape[1] for spec in written.signature]
    keep = packing.signature[1].shape[1]

    def unpacked(record):
        cells = tf.io.decode_raw(record, tf.int32)
        rows = tf.size(cells) // sum(widths)
        ids, numbers = tf.split(cells, [rows * width for width in widths])
        numbers = tf.bitcast(tf.reshape(numbers, [rows, widths[1]]), tf.float32)
        return tf.reshape(ids, [rows, widths[0]]), numbers[:, :keep]

    records = in_parts(len(parts), read, shuffle, seed, OPEN_FILES)
    packed = records.map(unpacked, num_parallel_calls=tf.data.AUTOTUNE)
    mixed = shuffle_blocks if shuffle else 0
    dataset = batches(packed, packing, batch_size, mixed, seed, drop_remainder)
    if steps is not None:
        known = tf.data.experimental.assert_cardinality(steps)
        return dataset.take(steps).apply(known)
    rows = sum(part.rows for part in parts)
    return with_cardinality(dataset, rows, batch_size, drop_remainder)


@dataclasses.dataclass(frozen=True)
class _File:
    path: str
    rows: int

    def counted(self) -> int:
        return self.rows


class _Writer:
    """Writes blocks into files of about as many rows; `counts` are those of each."""

    def __init__(self, folder: pathlib.Path):
        self.counts: dict[str, int] = {}
        self._folder = folder
        self._file: tf.io.TFRecordWriter | None = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._file is not None:
            self._file.close()

    def write(self, ids: np.ndarray, numbers: np.ndarray) -> None:
        name = next(reversed(self.counts), "")
        if self._file is None or self.counts[name] >= FILE_ROWS:
            self.__exit__()
            name = f"{len(self.counts):06d}.tfrecord"
            self.counts[name] = 0
            self._file = tf.io.TFRecordWriter(str(self._folder / name))
        self._file.write(ids.tobytes() + numbers.tobytes())
        self.counts[name] += len(ids)


def _note(path, schema, labelled):
    fix = "write it again by to_cache"
    try:
        note = read_sealed(path / NOTE, "what a cache holds", fix)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            explain(
                f"a cache of rows in {path}",
                f"no {NOTE} there",
                "write one: tf_ctr.data.to_cache(source, schema, path)",
            )
        ) from None
    if note["schema"] != _sum(schema):
        expected = f"the schema with which the cache in {path} was written"
        raise ValueError(explain(expected, "another one", fix))
    if labelled and not note["labelled"]:
        expected = f"labels in the cache in {path}"
        raise ValueError(explain(expected, "none", f"{fix}, or pass labelled=False"))
    return note


def _sum(schema: Schema) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "schema.json")
        schema.save(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()
