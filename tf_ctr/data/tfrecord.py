"""Reads and writes TFRecord files of `tf.train.Example`."""

import os
from collections.abc import Collection, Mapping, Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError

from tf_ctr.data.batching import batches, check_arguments, in_parts
from tf_ctr.data.examples import FEATURE_KIND, parsing_specs
from tf_ctr.data.packing import Packing
from tf_ctr.data.paths import Paths, resolve
from tf_ctr.data.serialized import serialized_examples
from tf_ctr.errors import explain, unknown_name
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_rows
from tf_ctr.features.field import known
from tf_ctr.features.reading import frames_of
from tf_ctr.files import replacing
from tf_ctr.rows import Source
from tf_ctr.rows.parts import located

BLOCK_RECORDS = 1 << 13

# A feature absent from all of the first records is a wrong name, not a missing value.
CHECKED_RECORDS = 100

LABEL_DTYPE = {"int64_list": tf.int64, "float_list": tf.float32}

# What an absent label is read as, where a label may be missing.
MISSING = {tf.int64: tf.int64.min, tf.float32: float("nan")}


def from_tfrecord(
    paths: Paths,
    schema: Schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
    shuffle_blocks: int = 8,
) -> tf.data.Dataset:
    """Returns the records of TFRecord files as batches, for files larger than memory.

    Each record is a `tf.train.Example` with one feature per field, as `to_tfrecord`
    writes it; an absent feature is a missing value. The label, and the feature of a
    field that is not multivalent, must hold exactly one value: TensorFlow raises a
    parse error for an empty list or two values.

    Args:
        paths: A file, a folder, a pattern, or a list of these.
        schema: A fitted schema.
        batch_size: Rows per batch.
        shuffle: Whether to give each epoch a new random order of the files, and to
            mix the rows of `shuffle_blocks` blocks at a time.
        seed: The seed of the orders. The same seed gives the same epochs again. Every
            pass over the dataset is a new epoch.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label; pass `False` for prediction.
        shuffle_blocks: Blocks of 65,536 rows to mix at a time. More blocks mix better
            and take more memory.

    Returns:
        A dataset of `({field: tensor}, label)`, label float32 `[B]`, or of
        `({field: tensor}, label, weight)` if the schema has a weight, float32 `[B]`,
        or of `{field: tensor}` if not labelled. With several labels, label and weight
        are dicts by label, and a label that is not known is NaN.

    Raises:
        ValueError: If there is no such file or no record, the first records of a file
            lack a feature, or for a wrong argument. What is wrong further down raises
            `tf.errors.InvalidArgumentError` while the dataset is read, which names the
            file and the feature.
        TypeError: For a feature of the wrong type.

    Example:

    >>> import pathlib, tempfile, pandas
    >>> from tf_ctr.data import from_tfrecord, to_tfrecord
    >>> from tf_ctr.features import Categorical, Schema
    >>> frame = pandas.DataFrame({"item": ["a", "b", "a"], "click": [0, 1, 1]})
    >>> schema = Schema([Categorical("item")]).fit(frame)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_tfrecord(frame, schema, pathlib.Path(folder, "day1.tfrecord"))
    ...     for features, label in from_tfrecord(folder, schema):
    ...         print(features["item"].numpy(), label.numpy())
    [2 3 2] [0. 1. 1.]
    """
    check_arguments(batch_size, seed, shuffle_blocks)
    files = resolve(paths, ".tfrecord")
    # A job that writes one file per partition may leave some files without records.
    # Eagerly, also when the caller is being traced.
    with tf.init_scope():
        kinds_of = {file: _feature_kinds(file) for file in files}
    found = {file: kinds for file, kinds in kinds_of.items() if kinds is not None}
    check_rows(len(found))
    outcomes = schema.outcomes.columns if labelled else []
    dtypes = [_check_kinds(f, kinds, schema, outcomes) for f, kinds in found.items()]
    packing = Packing(schema, labelled)
    spec = parsing_specs(schema.fields)
    for name, *found_dtypes in zip(outcomes, *dtypes, strict=True):
        if len(set(found_dtypes)) > 1:
            raise TypeError(
                explain(
                    f"feature {name!r} of one type in all files",
                    "integers in some and floats in others",
                    "read the files as two datasets and join them with concatenate",
                )
            )
        may_miss = schema.outcomes.several and name in schema.label_names
        default = MISSING[found_dtypes[0]] if may_miss else None
        spec[name] = tf.io.FixedLenFeature([], found_dtypes[0], default)

    def parse(records, file):
        # Errors show the names of examples.
        of_file = tf.fill(tf.shape(records), file)
        raw = tf.io.parse_example(records, spec, of_file)
        values = {}
        for name in outcomes:
            if name in schema.label_names:
                may_miss = schema.outcomes.several
                values[name] = _checked_label(raw.pop(name), name, file, may_miss)
            else:
                values[name] = _checked_weight(raw.pop(name), name, file)
        return packing.pack(raw, values)

    names = tf.constant(list(found))

    def read(part):
        blocks = tf.data.TFRecordDataset(names[part]).batch(BLOCK_RECORDS)
        return blocks.map(lambda records: (records, names[part]))

    records = in_parts(len(found), read, shuffle, seed)
    packed = records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    mixed = shuffle_blocks if shuffle else 0
    return batches(packed, packing, batch_size, mixed, seed, drop_remainder)


def to_tfrecord(
    frame: Source, schema: Schema, path: str | os.PathLike, labelled: bool = True
) -> None:
    """Writes raw values as `tf.train.Example` records, with features by field name.

    A missing value is written as the padding value of its field, an empty list as a
    feature without values. An existing file is replaced in one step.

    Args:
        frame: A pandas frame with the schema's fields and label, a path, or rows of any
            kind that `tf_ctr.data.rows` opens.
        schema: A fitted schema.
        path: The file to write, which `from_tfrecord` reads.
        labelled: Whether to write the label too.

    Raises:
        ValueError: For a missing column, a label other than 0 and 1, no row, or a
            path that is a folder.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> import pathlib, tempfile, pandas
    >>> from tf_ctr.data import to_tfrecord
    >>> from tf_ctr.features import Categorical, Schema
    >>> schema = Schema([Categorical("item", vocabulary=["a", "b"])])
    >>> frame = pandas.DataFrame({"item": ["a", "b"], "click": [0, 1]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_tfrecord(frame, schema, pathlib.Path(folder, "day1.tfrecord"))
    """
    schema.check_fitted()
    further = schema.outcomes.columns if labelled else []
    count = 0
    with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for place, rows in frames_of(frame, schema.fields, further):
            count += len(rows)
            with located(place):
                columns = schema.raw_columns(rows)
                if labelled:
                    columns |= schema.outcomes.read(rows)
            for example in serialized_examples(columns, schema.fields):
                writer.write(example)
        check_rows(count)


def _checked_label(
    label: tf.Tensor, name: str, file: tf.Tensor, may_miss: bool
) -> tf.Tensor:
    if may_miss and label.dtype == tf.int64:
        known = label != MISSING[tf.int64]
        label = tf.where(known, tf.cast(label, tf.float32), float("nan"))
    label = tf.cast(label, tf.float32)
    right = (label == 0) | (label == 1)
    if may_miss:
        right |= tf.math.is_nan(label)
    message = explain(f"label {name!r} to be 0 or 1", "those below", "correct the file")
    wrong = tf.boolean_mask(label, ~right)
    tf.debugging.Assert(tf.reduce_all(right), [message, file, wrong])
    return label


def _checked_weight(weight: tf.Tensor, name: str, file: tf.Tensor) -> tf.Tensor:
    weight = tf.cast(weight, tf.float32)
    right = tf.math.is_finite(weight) & (weight >= 0)
    expected = f"weight {name!r} to be a finite number of at least 0"
    message = explain(expected, "those below", "correct the file")
    wrong = tf.boolean_mask(weight, ~right)
    tf.debugging.Assert(tf.reduce_all(right), [message, file, wrong])
    return weight


def _check_kinds(
    file: str,
    kinds: Mapping[str, str | None],
    schema: Schema,
    outcomes: Sequence[str],
) -> list[tf.DType]:
    """Returns the dtypes of the outcomes; raises if the first records do not fit."""
    for field in schema.raw_fields:
        _check_kind(file, kinds, field.name, [FEATURE_KIND[known(field.dtype)]])
    for name in outcomes:
        what = "feature of weights" if name in schema.outcomes.weights else "feature"
        _check_kind(file, kinds, name, LABEL_DTYPE, what)
    return [LABEL_DTYPE[kinds[name] or ""] for name in outcomes]


def _check_kind(
    file: str,
    kinds: Mapping[str, str | None],
    name: str,
    expected: Collection[str],
    what: str = "feature",
) -> None:
    if not kinds.get(name):
        raise ValueError(unknown_name(f"{what} in {file}", name, kinds))
    if kinds[name] not in expected:
        raise TypeError(
            explain(
                f"feature {name!r} in {file} as {' or '.join(expected)}",
                kinds[name],
                "write the file with tf_ctr.data.to_tfrecord",
            )
        )


@tf.autograph.experimental.do_not_convert
def _feature_kinds(file: str) -> dict[str, str | None] | None:
    """Returns `{feature: kind}` of the first records; `None` if there is no record."""
    try:
        records = list(tf.data.TFRecordDataset(file).take(CHECKED_RECORDS))
        examples = [tf.train.Example.FromString(each.numpy()) for each in records]
    except (DecodeError, tf.errors.DataLossError) as error:
        raise ValueError(
            explain(
                f"{file} to be an uncompressed TFRecord file of tf.train.Example",
                str(error).rstrip("."),
                "write it with tf_ctr.data.to_tfrecord",
            )
        ) from error
    kinds: dict[str, str | None] = {}
    for example in examples:
        for name, value in example.features.feature.items():
            kinds[name] = kinds.get(name) or value.WhichOneof("kind")
    return kinds if examples else None
