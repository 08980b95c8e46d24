"""A frame written as a TFRecord file."""

import numpy as np
import tensorflow as tf

from tf_ctr.features.columns import check_frame, check_rows, chunks
from tf_ctr.features.files import replacing


def to_tfrecord(frame, schema, path, labelled: bool = True):
    """Writes the raw values of a frame as `tf.train.Example` records.

    A missing value is written as the padding value of its field, an empty list as a
    feature without values. An existing file is replaced in one step.

    Args:
        frame: A pandas frame with the schema's fields and label.
        schema: A fitted `Schema`, for the dtypes.
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
    check_frame(frame)
    check_rows(len(frame))
    with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for rows in chunks(frame):
            for example in _examples(rows, schema, labelled):
                writer.write(example.SerializeToString())


def _examples(frame, schema, labelled):
    raw = schema.raw_columns(frame)
    dtypes = {field.name: field.dtype for field in schema.fields}
    columns = {field.name: _lists(raw[field.name], field) for field in schema.fields}
    if labelled:
        dtypes[schema.label] = "float32"
        columns[schema.label] = schema.labels(frame)[:, np.newaxis]
    for row in zip(*columns.values(), strict=True):
        values = zip(columns, row, strict=True)
        feature = {name: _feature(value, dtypes[name]) for name, value in values}
        yield tf.train.Example(features=tf.train.Features(feature=feature))


def _lists(array, field):
    if not field.multivalent:
        return array[:, np.newaxis]
    return [row[row != field.padding] for row in array]


def _feature(values, dtype):
    if dtype == "string":
        encoded = tf.train.BytesList(value=[value.encode() for value in values])
        return tf.train.Feature(bytes_list=encoded)
    if dtype == "int64":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
