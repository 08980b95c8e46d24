"""Rows of a file as a frame."""

import pathlib

import pandas as pd

from tf_ctr.errors import explain

READERS = {
    ".parquet": pd.read_parquet,
    ".csv": pd.read_csv,
    ".jsonl": lambda path: pd.read_json(path, lines=True),
}


def read_frame(path) -> pd.DataFrame:
    """Returns the rows of a `.parquet`, `.csv` or `.jsonl` file.

    A field of lists needs `.parquet` or `.jsonl`.

    Raises:
        ValueError: If there is no such file, it has another ending, or it cannot be
            read.
    """
    path = pathlib.Path(path)
    if not path.is_file() or path.suffix not in READERS:
        raise ValueError(
            explain(
                f"an existing file of rows that ends in {', '.join(READERS)}",
                path,
                "write one, e.g. with DataFrame.to_parquet",
            )
        )
    try:
        return READERS[path.suffix](path)
    except (ValueError, OSError) as error:
        raise ValueError(
            explain(f"rows in {path}", error, f"write a whole {path.suffix} file")
        ) from error
