"""Rows of a file as a frame."""

import json
import pathlib

import pandas as pd

from tf_ctr.errors import explain

# What a field of numbers may hold; text may be called so.
MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"]
CSV_DTYPES = {"string": str, "int64": "Int64", "float32": "float64"}


def read_frame(path, schema=None) -> pd.DataFrame:
    """Returns the rows of a `.parquet`, `.csv` or `.jsonl` file.

    A field of lists needs `.parquet` or `.jsonl`. Values are as they are in the file:
    no text becomes a number or a date, and integers keep all digits beside missing
    ones.

    Args:
        path: The file.
        schema: The fitted `tf_ctr.Schema` whose fields are read. A `.csv` does not
            say what its columns hold: without a schema `007` is the number 7, and
            `NA` is missing.

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
        return READERS[path.suffix](path, () if schema is None else schema.fields)
    except (ValueError, OSError) as error:
        raise ValueError(
            explain(
                f"rows in {path}",
                str(error).rstrip("."),
                f"write a whole {path.suffix} file",
            )
        ) from error


def _parquet(path, _):
    return pd.read_parquet(path, dtype_backend="numpy_nullable")


def _csv(path, fields):
    dtypes = {each.name: CSV_DTYPES[each.dtype] for each in fields}
    missing = {
        name: [""] if dtypes.get(name) is str else MISSING
        for name in pd.read_csv(path, nrows=0).columns
    }
    return pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=missing)


def _jsonl(path, _):
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line that is no JSON object")
    # As objects: among missing values pandas makes floats of integers.
    return pd.DataFrame(rows, dtype=object)


READERS = {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}
