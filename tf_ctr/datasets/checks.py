"""Checks of arguments and files that several datasets need."""

import os
import pathlib

import pandas as pd

from tf_ctr.errors import explain, unknown_name


def check_pair(kind, source, target, valid):
    """Raises unless source and target are two different ones of the valid values.

    Args:
        kind: What a value is, e.g. `"gender"`.
        source: Value of the source domain.
        target: Value of the target domain.
        valid: The values there are.

    Raises:
        ValueError: For an unknown value, or twice the same.
    """
    for value in (source, target):
        if value not in valid:
            raise ValueError(unknown_name(kind, value, map(str, valid)))
    if source == target:
        first, second, *_ = valid
        raise ValueError(
            explain(
                f"two different values of {kind}",
                f"source {source!r} and target {target!r}",
                f"pass e.g. {first!r} and {second!r}",
            )
        )


def data_folder(data_dir, name, fix) -> pathlib.Path:
    """Returns the folder `name` in `data_dir`, or in the folder of `TF_CTR_DATA`.

    Raises:
        FileNotFoundError: If neither is given.
    """
    root = data_dir or os.environ.get("TF_CTR_DATA")
    if not root:
        raise FileNotFoundError(
            explain(
                f"data_dir, or TF_CTR_DATA, to name the folder that holds {name}/",
                "neither",
                fix,
            )
        )
    return pathlib.Path(root) / name


def existing_file(path, fix) -> pathlib.Path:
    """Returns `path`.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(explain(f"the file {path}", "no such file", fix))
    return path


def read_table(path, columns, fix) -> pd.DataFrame:
    """Reads columns of a Parquet or CSV file.

    Args:
        path: The file; the suffix tells the format.
        columns: The names that are kept, in this order.
        fix: Where to get the file, for the messages.

    Returns:
        The frame.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing.
    """
    path = existing_file(path, fix)
    read = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
    frame = read(path)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(
            explain(f"columns {missing} in {path}", list(frame.columns), fix)
        )
    return frame[list(columns)]


def join(rows, table, path) -> pd.DataFrame:
    """Adds the columns of `table` by the one column that both have.

    Args:
        rows: The frame.
        table: A frame with each key once.
        path: File of the table, for the message.

    Returns:
        A frame of the rows in their order.

    Raises:
        ValueError: If a key of the rows is not in the table, or one is there twice.
    """
    (key,) = rows.columns.intersection(table.columns)
    unknown = ~rows[key].isin(table[key])
    repeated = table[key].duplicated()
    if unknown.any() or repeated.any():
        odd = rows[key][unknown] if unknown.any() else table[key][repeated]
        raise ValueError(
            explain(
                f"every {key} of the rows once in {path}",
                f"{len(odd)} {'unknown' if unknown.any() else 'repeated'}, e.g. "
                f"{odd.iloc[0]}",
                "take all files from the same release",
            )
        )
    return rows.merge(table, on=key, how="left")
