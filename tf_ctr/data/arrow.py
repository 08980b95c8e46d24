"""Blocks of raw rows from the files that Arrow reads: Parquet and CSV."""

import pandas as pd
import pyarrow as pa
import tensorflow as tf

from tf_ctr.data.shuffling import in_parts


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Returns a frame over the memory of an Arrow table."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def check_types(arrow_schema, packing, file):
    """Raises if a file with columns of these types cannot be packed."""
    try:
        packing.pack_frame(to_frame(arrow_schema.empty_table()))
    except (TypeError, ValueError) as error:
        error.add_note(f"In {file}.")
        raise


def packed_blocks(readers, packing, shuffle, seed) -> tf.data.Dataset:
    """Returns a dataset of packed blocks of rows.

    Args:
        readers: Functions that return a part of the data each, as an iterator of
            Arrow record batches.
        packing: Encodes and packs the blocks.
        shuffle: Whether to read the parts in a new random order per epoch.
        seed: The seed of that order.
    """

    def read(part):
        for batch in readers[part]():
            if batch.num_rows:
                yield packing.pack_frame(to_frame(pa.Table.from_batches([batch])))

    def read_part(part):
        return tf.data.Dataset.from_generator(
            read, output_signature=packing.signature, args=(part,)
        )

    return in_parts(len(readers), read_part, shuffle, seed)
