"""Reads rows of any kind as `({field: tensor}, label)` batches.

`rows` opens files, folders, buckets, frames and iterators. Every function of tf_ctr
that takes a frame takes its result, or a plain path.

Every reader takes a fitted `tf_ctr.Schema` and returns the same batches: rows are
encoded by the schema, packed into two matrices, shuffled, and unpacked. A *block* is a
number of rows that are read and encoded together. A *part* is a file or a row group;
shuffling changes the order of the parts.
"""

from tf_ctr.data.cache import from_cache, to_cache
from tf_ctr.data.csv import from_csv
from tf_ctr.data.frame import from_frame
from tf_ctr.data.parquet import from_parquet
from tf_ctr.data.streaming import from_rows
from tf_ctr.data.tfrecord import from_tfrecord, to_tfrecord
from tf_ctr.rows import Rows, rows

__all__ = [
    "Rows",
    "from_cache",
    "from_csv",
    "from_frame",
    "from_parquet",
    "from_rows",
    "from_tfrecord",
    "rows",
    "to_cache",
    "to_tfrecord",
]


def __dir__() -> list[str]:
    return [*__all__]
