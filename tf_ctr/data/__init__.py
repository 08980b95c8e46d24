"""Frames, Parquet, CSV and TFRecord files as batches `({field: tensor}, label)`.

Every reader takes a fitted `tf_ctr.Schema` and gives the same rows: encoded by the
schema, packed into two matrices, shuffled and gathered there, and unpacked as batches.
A *block* is the rows that are read and encoded together; a *part* is what is read in
one go, a file or a row group, and the unit whose order is shuffled.
"""

from tf_ctr.data.csv import from_csv
from tf_ctr.data.frame import from_frame
from tf_ctr.data.parquet import from_parquet
from tf_ctr.data.tfrecord import from_tfrecord, to_tfrecord

__all__ = ["from_csv", "from_frame", "from_parquet", "from_tfrecord", "to_tfrecord"]


def __dir__() -> list[str]:
    return [*__all__]
