"""The argument checks and file readers that several data sets share."""

import gzip
import os
import pathlib
from collections.abc import Collection, Iterable
from typing import Any

import pandas as pd

from tf_ctr.errors import explain, unknown_name


def check_pair(kind: str, source: Any, target: Any, valid: Collection[Any]) -> None:
    """Raises unless source and target are two different valid values.

    Args:
        kind: The kind of values, e.g. `"gender"`.
        source: Value of the source domain.
        target: Value of the target domain.
        valid: All valid values.

    Raises:
        ValueError: If a value is unknown, or both are the same.
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
                f"pass {first!r} and {second!r}, for example",
            )
        )


def find_folder(
    data_dir: str | os.PathLike[str] | None, name: str
) -> pathlib.Path | None:
    """Returns the folder `name` in `data_dir`, or in the folder `TF_CTR_DATA`.

    Args:
        data_dir: The folder that holds all data sets; `None` reads the environment
            variable `TF_CTR_DATA`.
        name: The folder of one data set.

    Returns:
        The folder, which need not exist; `None` if neither is given.
    """
    root = data_dir or os.environ.get("TF_CTR_DATA")
    return pathlib.Path(root) / name if root else None


def require_folder(
    data_dir: str | os.PathLike[str] | None, name: str, fix: str
) -> pathlib.Path:
    """Returns the folder that `find_folder` finds; raises if it finds none.

    Args:
        data_dir: See `find_folder`.
        name: See `find_folder`.
        fix: Where to get the files, for the message.

    Raises:
        FileNotFoundError: If neither `data_dir` nor `TF_CTR_DATA` is given.
    """
    folder = find_folder(data_dir, name)
    if folder is None:
        raise FileNotFoundError(
            explain(
                f"data_dir, or TF_CTR_DATA, to name the folder that holds {name}/",
                "neither",
                fix,
            )
        )
    return folder


def existing_file(path: str | os.PathLike[str], fix: str) -> pathlib.Path:
    """Returns the path of an existing file.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(explain(f"the file {path}", "no such file", fix))
    return path


def read_table(
    path: str | os.PathLike[str], columns: Iterable[str], fix: str
) -> pd.DataFrame:
    """Reads some columns of a Parquet or CSV file.

    Args:
        path: The file, in the format of its suffix.
        columns: The columns to keep, in this order.
        fix: Where to get the file, for the messages.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing.
    """
    path = existing_file(path, fix)
    read = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
    frame = read(path)
    wanted = list(columns)
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise ValueError(
            explain(f"columns {missing} in {path}", list(frame.columns), fix)
        )
    return frame[wanted]


def join(
    rows: pd.DataFrame, table: pd.DataFrame, path: str | os.PathLike[str]
) -> pd.DataFrame:
    """Adds the columns of `table` to `rows`, joined on the column that both have.

    Args:
        rows: The frame; its order stays.
        table: A frame with each key once.
        path: The file of the table, for the message.

    Raises:
        ValueError: If the table lacks a key of the rows, or repeats one.
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


def log_file(
    data_dir: str | os.PathLike[str] | None,
    path: str | os.PathLike[str] | None,
    name: pathlib.Path,
    fix: str,
    other: pathlib.Path | None = None,
) -> pathlib.Path:
    """Returns the file of a data set; raises if it is not there.

    Args:
        data_dir: See `find_folder`.
        path: The file itself; `None` looks in `data_dir`.
        name: Its path in `data_dir`.
        fix: Where to get it, for the message.
        other: Another path in `data_dir`, taken if the first is not there.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if path is not None:
        file = pathlib.Path(path)
    else:
        root = require_folder(data_dir, name.parts[0], fix).parent
        file = root / name
        if other is not None and not file.exists():
            file = root / other if (root / other).exists() else file
    if not file.is_file():
        raise FileNotFoundError(explain(f"the file {file}", "no such file", fix))
    return file


def starts_with(file: pathlib.Path, text: str) -> bool:
    """Returns whether a text file, which may be compressed by gzip, starts so."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rb") as stream:
        return stream.read(len(text)) == text.encode()
