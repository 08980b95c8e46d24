"""Reads the rows of a file into a frame."""

import json
import os
import pathlib
from collections.abc import Sequence

import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.field import Field, known

# Cells of a CSV file that stand for a missing number. Only "" is a missing string.
MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"]
CSV_DTYPES = {"string": str, "int64": "Int64", "float32": "float64"}


def read_frame(path: str | os.PathLike, schema: Schema | None = None) -> pd.DataFrame:
    """Returns the rows of a `.parquet`, `.csv` or `.jsonl` file.

    A field of lists needs `.parquet` or `.jsonl`. Values stay as they are in the file:
    no text becomes a number or a date, and integers in a column with missing values
    keep all their digits.

    Args:
        path: The file.
        schema: The fitted schema of the fields. A `.csv` file has no types: without a
            schema, `007` is the number 7, and `NA` is missing.

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


def _parquet(path: pathlib.Path, _: Sequence[Field]) -> pd.DataFrame:
    return pd.read_parquet(path, dtype_backend="numpy_nullable")


def _csv(path: pathlib.Path, fields: Sequence[Field]) -> pd.DataFrame:
    dtypes = {field.column: CSV_DTYPES[known(field.dtype)] for field in fields}
    missing = {
        name: [""] if dtypes.get(name) is str else MISSING
        for name in pd.read_csv(path, nrows=0).columns
    }
    return pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=missing)


def _jsonl(path: pathlib.Path, _: Sequence[Field]) -> pd.DataFrame:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line that is not a JSON object")
    # As objects: pandas would turn integers beside missing values into floats.
    return pd.DataFrame(rows, dtype=object)


READERS = {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}
