"""Frames, Parquet, CSV and TFRecord files as batches `({field: tensor}, label)`."""

from tf_ctr.data.csv import from_csv
from tf_ctr.data.frame import from_frame
from tf_ctr.data.parquet import from_parquet
from tf_ctr.data.tfrecord import from_tfrecord, to_tfrecord

__all__ = ["from_csv", "from_frame", "from_parquet", "from_tfrecord", "to_tfrecord"]
