"""Reads frames, Parquet, CSV and TFRecord files as `({field: tensor}, label)` batches.

Every reader takes a fitted `tf_ctr.Schema` and returns the same batches: rows are
encoded by the schema, packed into two matrices, shuffled, and unpacked. A *block* is a
number of rows that are read and encoded together. A *part* is a file or a row group;
shuffling changes the order of the parts.
"""

from tf_ctr.data.csv import from_csv
from tf_ctr.data.frame import from_frame
from tf_ctr.data.parquet import from_parquet
from tf_ctr.data.tfrecord import from_tfrecord, to_tfrecord

__all__ = ["from_csv", "from_frame", "from_parquet", "from_tfrecord", "to_tfrecord"]


def __dir__() -> list[str]:
    return [*__all__]
