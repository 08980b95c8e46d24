"""Blocks of raw rows from the files that Arrow reads: Parquet and CSV."""

import pandas as pd
import pyarrow as pa
import tensorflow as tf

from tf_ctr.data.blocks import block_signature, frame_block
from tf_ctr.data.shuffling import in_parts


def column_names(schema, labelled: bool) -> list[str]:
    """Returns the columns to read."""
    names = [field.name for field in schema.fields]
    return [*names, schema.label] if labelled else names


def check_types(schema, arrow_schema, labelled: bool):
    """Raises if a file with these column types does not fit the schema."""
    frame_block(to_frame(arrow_schema.empty_table()), schema, labelled)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Returns a frame over the memory of an Arrow table."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def blocks(parts, schema, shuffle, seed, labelled) -> tf.data.Dataset:
    """Returns a dataset of blocks of rows.

    Args:
        parts: Functions that read a part of the data each, as Arrow record batches.
        schema: The fitted schema.
        shuffle: Whether to read the parts in a new random order per epoch.
        seed: The seed of that order.
        labelled: Whether to take the label; else it is 0.
    """

    def read(part):
        for batch in parts[part]():
            if batch.num_rows:
                frame = to_frame(pa.Table.from_batches([batch]))
                yield frame_block(frame, schema, labelled)

    signature = block_signature(schema)

    def read_part(part):
        return tf.data.Dataset.from_generator(
            read, output_signature=signature, args=(part,)
        )

    return in_parts(len(parts), read_part, shuffle, seed)
