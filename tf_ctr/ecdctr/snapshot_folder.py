"""Writes and reads one snapshot: a folder with a table per field, and a manifest."""

import json
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tf_ctr.errors import explain
from tf_ctr.files import (
    MANIFEST,
    DamagedError,
    Manifest,
    read_manifest,
    replaced_folder,
    whole_folder,
)

SNAPSHOT = "snapshot.json"
FIX = "write it again with SnapshotStore.add, or delete its folder"

Date = int | float | str


def write(
    folder: pathlib.Path, date: Date, tables: Mapping[str, tuple[list[Any], np.ndarray]]
) -> None:
    """Writes a snapshot whole or not at all, replacing an existing folder.

    Args:
        folder: The folder of the snapshot.
        date: Its date.
        tables: `{field: (ids, embeddings [n, D])}`, in float32.

    Raises:
        ValueError: If there is no table, or not one finite embedding per id.
    """
    if not tables:
        raise ValueError(
            explain(
                "tables of one field or more",
                "none",
                "name the fields whose embeddings to write",
            )
        )
    for field, (ids, embeddings) in tables.items():
        _check_table(field, ids, embeddings)
    with whole_folder(folder) as partial:
        for field, (ids, embeddings) in tables.items():
            flat = pa.array(embeddings.ravel())
            rows = pa.FixedSizeListArray.from_arrays(flat, embeddings.shape[1])
            table = pa.table({"key": ids, "embedding": rows})
            pq.write_table(table, partial / _file_name(field))
        (partial / SNAPSHOT).write_text(json.dumps({"date": date}))


def names(directory: pathlib.Path) -> list[str]:
    """Returns the names of the snapshots in a folder, sorted."""
    folders = {path.name for path in directory.glob("*") if path.is_dir()}
    # A process killed while it replaced a snapshot leaves only the old one, hidden.
    prefix, suffix = replaced_folder("name").name.split("name")
    replaced = {
        name.removeprefix(prefix).removesuffix(suffix)
        for name in folders
        if name.endswith(suffix)
    }
    return sorted({name for name in folders if not name.startswith(".")} | replaced)


def existing(folder: pathlib.Path) -> pathlib.Path:
    """Returns the folder of a snapshot, or of the old one if a kill left only that."""
    replaced = replaced_folder(folder)
    return replaced if replaced.exists() and not folder.exists() else folder


def read_date(folder: pathlib.Path) -> Any:
    """Returns the date of a snapshot; `None`, with a warning, if it is unreadable."""
    manifest = _read_manifest(folder)
    if manifest is None:
        return None
    damage = manifest.damage([SNAPSHOT]) if SNAPSHOT in manifest.files else None
    if damage is not None:
        skip(folder, damage)
        return None
    return json.loads((folder / SNAPSHOT).read_text())["date"]


def is_intact(folder: pathlib.Path) -> bool:
    """Returns whether no file is missing or changed; warns if one is."""
    manifest = _read_manifest(folder)
    if manifest is None:
        return False
    damage = manifest.damage()
    if damage is not None:
        skip(folder, damage)
    return damage is None


def read(folder: pathlib.Path, field: str) -> tuple[pd.Series, np.ndarray]:
    """Returns the ids `[n]` and the embeddings `[n, D]` of a field.

    Raises:
        ValueError: If the snapshot lacks the field.
    """
    table = pq.read_table(_table_file(folder, field))
    rows = table["embedding"].combine_chunks()
    embeddings = rows.flatten().to_numpy().reshape(len(table), rows.type.list_size)
    return table["key"].to_pandas(), embeddings


def read_ids(folder: pathlib.Path, field: str) -> pd.Series:
    """Returns the ids `[n]` of a field without reading the embeddings; see `read`."""
    return pq.read_table(_table_file(folder, field), columns=["key"])["key"].to_pandas()


def skip(folder: pathlib.Path, why: str) -> None:
    """Warns that a snapshot is skipped."""
    warnings.warn(f"The snapshot {folder} is skipped: {why}.", stacklevel=4)


def _read_manifest(folder):
    try:
        if (folder / MANIFEST).exists():
            return read_manifest(folder, "the snapshot", FIX)
        # Versions 0.1 and 0.2 kept the sums of the tables beside the date.
        values = json.loads((folder / SNAPSHOT).read_text())
        values["date"]
        sums = {_file_name(field): sum_ for field, sum_ in values["checksums"].items()}
        files = {
            path.name: (None, sums[path.name]) for path in folder.glob("*.parquet")
        }
        return Manifest(folder, "the snapshot", FIX, files)
    except DamagedError as error:
        skip(folder, error.damage)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        skip(folder, f"its manifest cannot be read: {type(error).__name__}: {error}")
    return None


def _table_file(folder, field):
    path = folder / _file_name(field)
    if not path.exists():
        raise ValueError(
            explain(
                f"embeddings of the field '{field}'",
                f"no such field in the snapshot {folder}",
                "export it from the pre-training model, into a new folder",
            )
        )
    return path


def _file_name(field):
    return f"{field}.parquet"


def _check_table(field, ids, embeddings):
    fits = embeddings.ndim == 2 and len(ids) == len(embeddings) == len(set(ids)) > 0
    finite = np.isfinite(embeddings).all()
    if not (fits and finite):
        raise ValueError(
            explain(
                f"one finite embedding per id of '{field}', [n, D]",
                f"{len(ids)} ids, {len(set(ids))} of them different, and embeddings "
                f"{embeddings.shape}{', not all of them finite' * (not finite)}",
                "pass the vocabulary and the rows of its ids; train with a lower "
                "learning rate if they are not finite",
            )
        )
