"""Streams batches from rows of any kind: files, tables, iterators."""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import pandas as pd
import tensorflow as tf

from tf_ctr.data.batching import batches, check_arguments, with_cardinality
from tf_ctr.data.blocks import packed_blocks
from tf_ctr.data.packing import Packing
from tf_ctr.data.shards import check_shard, own_parts
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_rows, check_some_weight
from tf_ctr.features.reading import rows_of
from tf_ctr.rows import Rows, Source, rows
from tf_ctr.rows.parts import Part, located


def from_rows(
    source: Source,
    schema: Schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
    shuffle_blocks: int = 8,
    shard: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """Returns rows of any kind as batches, for data larger than memory.

    Only the columns of the schema are read. Before the first batch, the types of the
    columns are checked in every file, and in Parquet files also whether the labels are
    0 and 1, as far as the statistics of the row groups tell.

    Shuffling reads the row groups (of CSV, the files) in a new random order, four at a
    time, and mixes the rows of `shuffle_blocks` blocks at a time. The rows of an
    iterator stay in the order of their blocks. For 4 million rows in the order of their
    numbers, the correlation of the numbers of neighbours was 0.06 with 8 blocks and
    0.001 with 32, in row groups of 65,536; 0.06 and 0.05, in row groups of 1,048,576
    (it is 0 for a random order of all rows; `pipelines.benchmarks.shuffling`). So write
    a log in small row groups, or in random order.

    Rows are encoded by Python, a block at a time, at a rate that depends on the format;
    see `pipelines.benchmarks.input`. Where that is too slow, and for a `tf.data`
    service, whose processes cannot run it, write them once with `to_cache`.

    Args:
        source: Rows of any kind that `tf_ctr.data.rows` opens, e.g. `"s3://log/"`, or
            its result.
        schema: A fitted schema.
        batch_size: Rows per batch.
        shuffle: Whether to give each epoch a new random order.
        seed: The seed of the orders. The same seed gives the same epochs again. Every
            pass over the dataset is a new epoch.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label; pass `False` for prediction.
        shuffle_blocks: Blocks of 65,536 rows to mix at a time. More blocks mix better
            and take more memory.
        shard: `(index, count)` for one of `count` workers: it reads its own row groups
            (of CSV, files), dealt by their numbers of rows, and every worker has the
            same number of batches. A line says how many rows are left out for it.

    Returns:
        A dataset of `({field: tensor}, label)`, label float32 `[B]`, or of
        `({field: tensor}, label, weight)` if the schema has a weight, float32 `[B]`,
        or of `{field: tensor}` if not labelled. With several labels, label and weight
        are dicts by label, and a label that is not known is NaN. Its number of batches
        is known for Parquet files without a filter, and for tables; else `fit` shows no
        end in its progress bar, and warns after the first epoch that the data ended.

    Raises:
        ValueError: If there is no such file, a file is damaged or lacks a column, a
            label is not 0 or 1, or for a wrong argument. What shows only while the
            dataset is read raises `tf.errors.InvalidArgumentError`, which names the
            file and the row group.
        TypeError: For a column whose type does not fit its field.

    Example:

    >>> import pathlib, tempfile
    >>> from tf_ctr.data import from_rows, rows
    >>> from tf_ctr.features import Categorical, Schema
    >>> schema = Schema([Categorical("item", vocabulary=["a", "b"])])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "day1.tsv")
    ...     _ = path.write_text("0\\ta\\n1\\tb\\n1\\t\\n")
    ...     log = rows(path, column_names=["click", "item"])
    ...     for features, label in from_rows(log, schema):
    ...         print(features["item"].numpy(), label.numpy())
    [2 3 0] [0. 1. 1.]
    """
    return stream(
        source,
        {},
        schema,
        batch_size,
        shuffle,
        seed,
        drop_remainder,
        labelled,
        shuffle_blocks,
        shard,
    )


# AutoGraph would rewrite all of it where the caller is being traced.
@tf.autograph.experimental.do_not_convert
def stream(
    source: Source,
    options: Mapping[str, Any],
    schema: Schema,
    batch_size: int,
    shuffle: bool,
    seed: int,
    drop_remainder: bool,
    labelled: bool,
    shuffle_blocks: int,
    shard: tuple[int, int] | None,
) -> tf.data.Dataset:
    """Returns batches as `from_rows` does.

    Args:
        source: Rows of any kind.
        options: Arguments of `rows`, if the source is not open yet.
        schema: As for `from_rows`, and so the others.
        batch_size: See there.
        shuffle: See there.
        seed: See there.
        drop_remainder: See there.
        labelled: See there.
        shuffle_blocks: See there.
        shard: See there.

    Raises:
        ValueError, TypeError: As `from_rows`.
    """
    check_arguments(batch_size, seed, shuffle_blocks)
    packing = Packing(schema, labelled)
    opened = source if isinstance(source, Rows) else rows(source, **options)
    opened = rows_of(opened, schema.fields)
    # Eagerly, also in a function that is being traced.
    with tf.init_scope():
        opened.check(packing.check)
    mixed = shuffle_blocks if shuffle else 0
    make = functools.partial(
        _batches, packing, shuffle, seed, batch_size, mixed, drop_remainder
    )
    if opened.streamed:
        if shard is not None:
            raise ValueError(_only_parts(shard))
        return make([lambda: opened.frames(packing.columns, packing.check)])
    parts = list(opened.parts())
    if labelled:
        for label in schema.label_names:
            _check_labels(parts, label, schema.outcomes.several)
        for weight in schema.outcomes.weights:
            _check_weights(parts, weight)
    found = opened.count
    if found is None:
        with tf.init_scope():
            found = _check_first_cells(parts, packing)
    check_rows(found)
    steps = None
    if shard is not None:
        parts, steps = own_parts(parts, check_shard(shard), batch_size, drop_remainder)
    dataset = make([functools.partial(_read, part, packing.columns) for part in parts])
    if steps is not None:
        known = tf.data.experimental.assert_cardinality(steps)
        return dataset.take(steps).apply(known)
    if opened.count is None:
        return dataset
    return with_cardinality(dataset, opened.count, batch_size, drop_remainder)


def _batches(
    packing: Packing,
    shuffle: bool,
    seed: int,
    batch_size: int,
    mixed: int,
    drop_remainder: bool,
    readers: Sequence[Callable[[], Iterator[tuple[str, pd.DataFrame]]]],
) -> tf.data.Dataset:
    packed = packed_blocks(readers, packing, shuffle, seed)
    return batches(packed, packing, batch_size, mixed, seed, drop_remainder)


def _only_parts(shard):
    return explain(
        "rows in files, for a shard of them",
        f"an iterator or a function, and shard={shard!r}",
        "pass each worker an iterator of its own rows, and no shard",
    )


def _read(part: Part, columns: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    for frame in part.frames(columns):
        yield part.place, frame


def _check_first_cells(parts: Sequence[Part], packing: Packing) -> int:
    """Returns a number of rows that is 0 only if there is none.

    Reads the first rows of each file of text, which has types only in its cells.
    """
    found = 0
    for part in parts:
        if part.is_text or not found:
            for frame in itertools.islice(part.frames(packing.columns), 1):
                with located(part.place):
                    packing.check(frame[:0])
                found += len(frame)
    return found


def _check_weights(parts: Sequence[Part], weight: str) -> None:
    """Raises for a bad weight that the statistics of a file tell, before it is read."""
    highest: float | None = 0.0
    for part in parts:
        extent = part.extent(weight)
        if extent is None:
            highest = None
            continue
        low, high, nulls = extent
        if nulls or low < 0:
            expected = f"weight {weight!r} to be a finite number of at least 0"
            received = f"{nulls} missing weights" if nulls else f"e.g. {low!r}"
            _refuse(part, expected, received)
        highest = None if highest is None else max(highest, float(high))
    if highest is not None:
        check_some_weight(weight, highest)


def _check_labels(parts: Sequence[Part], label: str, may_miss: bool) -> None:
    """Raises for a bad label that the statistics of a file tell, before it is read."""
    for part in parts:
        extent = part.extent(label)
        if extent is None:
            continue
        low, high, nulls = extent
        wrong = [each for each in (low, high) if each not in (0, 1)]
        missing = 0 if may_miss else nulls
        if missing or wrong:
            expected = f"label {label!r} to be 0 or 1"
            received = f"{missing} missing labels" if missing else f"e.g. {wrong[0]!r}"
            _refuse(part, expected, received)


def _refuse(part: Part, expected: str, received: str) -> NoReturn:
    with located(part.place):
        raise ValueError(
            explain(
                f"{expected} in every row",
                received,
                "leave these rows out by rows(..., filter=...), or correct the file",
            )
        )
