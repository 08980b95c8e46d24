"""One snapshot of embedding tables: a folder that appears as a whole."""

import json
import os
import shutil
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tf_ctr.errors import explain
from tf_ctr.files import checksum, damaged_file

MANIFEST, REPLACED = "snapshot.json", ".replaced"


def write_snapshot(folder, date, tables):
    """Writes `{field: (keys, embeddings [n, D])}`; an old folder is replaced.

    Args:
        folder: `pathlib.Path`.
        date: When; JSON-like.
        tables: The keys and embeddings.

    Raises:
        ValueError: If keys and embeddings do not fit, or one is not finite.
    """
    tables = {
        field: (list(k), np.asarray(e, "float32")) for field, (k, e) in tables.items()
    }
    for field, (keys, embeddings) in tables.items():
        _check(field, keys, embeddings)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # Of a killed process.
    partial.mkdir(parents=True)
    sums = {}
    for field, (keys, embeddings) in tables.items():
        flat = pa.array(embeddings.ravel())
        rows = pa.FixedSizeListArray.from_arrays(flat, embeddings.shape[1])
        path = partial / _file(field)
        pq.write_table(pa.table({"key": keys, "embedding": rows}), path)
        sums[field] = checksum(path)
    (partial / MANIFEST).write_text(json.dumps({"date": date, "checksums": sums}))
    replaced = folder.with_name(f".{folder.name}{REPLACED}")
    if folder.exists():  # Or else a killed process left the old one as `replaced`.
        shutil.rmtree(replaced, ignore_errors=True)
        os.rename(folder, replaced)
    os.rename(partial, folder)
    shutil.rmtree(replaced, ignore_errors=True)


def snapshot_names(directory) -> list:
    """Returns the names of the snapshots in a folder, sorted."""
    names = {path.name for path in directory.glob("*") if path.is_dir()}
    shown = {name for name in names if not name.startswith(".")}
    hidden = {n[1:].removesuffix(REPLACED) for n in names if n.endswith(REPLACED)}
    return sorted(shown | hidden)


def existing_folder(folder):
    """Returns a snapshot's folder; that of the old one if it was being replaced."""
    replaced = folder.with_name(f".{folder.name}{REPLACED}")
    return replaced if replaced.exists() and not folder.exists() else folder


def snapshot_date(folder):
    """Returns the date of a snapshot; `None`, with a warning, if it cannot be read."""
    manifest = _manifest(folder)
    return None if manifest is None else manifest["date"]


def is_whole(folder) -> bool:
    """Whether every file is as it was written; warns if one is not."""
    manifest = _manifest(folder)
    if manifest is None:
        return False
    known = {_file(field): value for field, value in manifest["checksums"].items()}
    damaged = damaged_file(folder, known)
    if damaged is not None:
        skip(folder, f"{damaged} is missing, or not as it was written")
    return damaged is None


def _manifest(folder):
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return {"date": manifest["date"], "checksums": dict(manifest["checksums"])}
    except (OSError, ValueError, LookupError, TypeError) as error:
        skip(folder, f"{MANIFEST} cannot be read: {type(error).__name__}: {error}")
        return None


def read_keys(folder, field):
    """Returns the keys of a field as a `pandas.Series`; raises as `read_embeddings`."""
    return pq.read_table(_existing(folder, field), columns=["key"])["key"].to_pandas()


def read_embeddings(folder, field):
    """Returns the keys and the embeddings `[n, D]` of a field.

    Raises:
        ValueError: If the snapshot has none of this field.
    """
    table = pq.read_table(_existing(folder, field))
    rows = table["embedding"].combine_chunks()
    flat = rows.flatten().to_numpy()
    return table["key"].to_pandas(), flat.reshape(len(table), rows.type.list_size)


def _existing(folder, field):
    path = folder / _file(field)
    if not path.exists():
        raise ValueError(
            explain(
                f"embeddings of the field '{field}'",
                f"none of it in the snapshot {folder}",
                "export it from the pre-training model, into a new folder",
            )
        )
    return path


def _check(field, keys, embeddings):
    fits = embeddings.ndim == 2 and len(keys) == len(embeddings) == len(set(keys)) > 0
    finite = np.isfinite(embeddings).all()
    if not (fits and finite):
        raise ValueError(
            explain(
                f"one finite embedding per key of '{field}', [n, D]",
                f"{len(keys)} keys, {len(set(keys))} of them different, and embeddings "
                f"{embeddings.shape}{', not all of them finite' * (not finite)}",
                "pass the vocabulary and the rows of its ids; train with a lower "
                "learning rate if they are not finite",
            )
        )


def _file(field):
    return f"{field}.parquet"


def skip(folder, why):
    """Warns that a snapshot is not read."""
    warnings.warn(f"The snapshot {folder} is skipped: {why}.", stacklevel=4)
