"""A frame written as a TFRecord file."""

import tensorflow as tf

from tf_ctr.data.examples import to_examples
from tf_ctr.features import Numeric
from tf_ctr.features.columns import check_frame, check_rows, chunks
from tf_ctr.files import replacing


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
            columns, fields = schema.raw_columns(rows), list(schema.fields)
            if labelled:
                columns[schema.label] = schema.labels(rows)
                fields.append(Numeric(schema.label))
            for example in to_examples(columns, fields):
                writer.write(example.SerializeToString())
