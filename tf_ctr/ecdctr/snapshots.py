"""Dated snapshots of embedding tables, by the ids of their rows."""

import json
import numbers
import os
import pathlib
import shutil
import urllib.parse
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tf_ctr.errors import explain
from tf_ctr.files import checksum, damaged_file

MANIFEST, REPLACED = "snapshot.json", ".replaced"


class SnapshotStore:
    """A folder of snapshots, each of which appears as a whole.

    `{date}/{field}.parquet` has the ids of a field's vocabulary and their embeddings,
    `{date}/snapshot.json` the checksums of these files. A snapshot that is not whole is
    not read: it is skipped with a warning.

    Args:
        directory: The folder; it is made by the first `add`.

    Example:

    >>> import tempfile
    >>> from tf_ctr import Categorical
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = SnapshotStore(folder)
    ...     store.add(3, {"item": (["a", "b"], [[1.0], [2.0]])})
    ...     store.add(4, {"item": (["b"], [[5.0]])})
    ...     found = store.table(Categorical("item", ["b", "c", "a"]), 2)
    >>> found[0]
    (3, 4)
    >>> found[1][2:, :, 0]  # Rows 0 and 1 are of missing and unseen ids.
    array([[2., 5.],
           [0., 0.],
           [1., 0.]], dtype=float32)
    """

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def add(self, date, tables):
        """Writes a snapshot; one of the same date is replaced.

        Args:
            date: A number, or an ISO date as text.
            tables: `{field: (ids, embeddings [n, D])}`, the ids as in its vocabulary.

        Raises:
            ValueError: If ids and embeddings do not fit, or one is not finite.
            TypeError: If the date is neither, or the dates so far are numbers and this
                one is text, or the other way round.
        """
        with warnings.catch_warnings(action="ignore"):  # Nothing is read here.
            claimed = list(self._claimed())
        self._check_kind(date, claimed)
        date = date.item() if isinstance(date, np.generic) else date
        write_snapshot(self.directory / _name(date), date, tables)

    def dates(self, until=None, newest=None) -> list:
        """Returns the dates of the snapshots that are whole, oldest first.

        Args:
            until: Leave out those of later dates.
            newest: At most so many.

        Raises:
            TypeError: If the dates are numbers and `until` is text, or the other way
                round.
        """
        claimed = list(self._claimed())
        if until is not None:
            self._check_kind(until, claimed)
            claimed = [date for date in claimed if date <= until]
        found = []
        for date in sorted(claimed, reverse=True):
            if len(found) != newest and is_whole(self._folder(date)):
                found.append(date)
        return found[::-1]

    def _claimed(self):
        """Yields the dates that folders say they are of."""
        for name in snapshot_names(self.directory):
            folder = existing_folder(self.directory / name)
            date = snapshot_date(folder)
            if date is not None and name != _name(date):
                skip(folder, f"it is of the date {date!r}; give it the name of that")
            elif date is not None:
                yield date

    def table(self, field, num_snapshots=3, until=None, dates=None):
        """Returns the newest snapshots of a field as one table for its vocabulary.

        Args:
            field: A fitted `tf_ctr.Categorical` with a vocabulary.
            num_snapshots: K. If there are fewer, the first places stay empty.
            until: Leave out snapshots of later dates.
            dates: Take these K snapshots instead, `None` for an empty place.

        Returns:
            The K dates, `None` for an empty place; embeddings `[n, K, D]`, zero where
            they are not known; and whether they are known, `[n, K]`. Missing and unseen
            ids have rows too, which are not known. `D` is 0 without any snapshot.

        Raises:
            ValueError: If the field has no vocabulary, a snapshot lacks it, or their
                widths differ.
        """
        if getattr(field, "vocabulary", None) is None:
            raise ValueError(
                explain(
                    "a fitted categorical field with a vocabulary",
                    repr(field),
                    "call schema.fit; hashed ids have no key to find them by",
                )
            )
        if dates is None:
            dates = self.dates(until, num_snapshots)
            dates = [None] * (num_snapshots - len(dates)) + dates
        parts = {
            place: read_embeddings(self._folder(date), field.name)
            for place, date in enumerate(dates)
            if date is not None
        }
        width = self._width(field, parts)
        rows, count = field.table_size, len(dates)
        embeddings = np.zeros((rows, count, width), "float32")
        known = np.zeros((rows, count), bool)
        first = rows - len(field.vocabulary)
        for place, (ids, values) in parts.items():
            _check_ids(field, ids)
            at = pd.Index(ids).get_indexer(list(field.vocabulary))
            own = np.flatnonzero(at >= 0)
            known[first + own, place] = True
            embeddings[first + own, place] = values[at[own]]
        return tuple(dates), embeddings, known

    def ids(self, field, dates) -> list:
        """Returns the ids of a field in some snapshots, each once.

        Args:
            field: The name of the field.
            dates: The dates of the snapshots.

        Raises:
            ValueError: If a snapshot lacks the field.
        """
        found = [read_keys(self._folder(date), field) for date in dates]
        return pd.concat(found).drop_duplicates().tolist() if found else []

    def _check_kind(self, date, claimed):
        if isinstance(date, bool) or not isinstance(date, numbers.Real | str):
            raise TypeError(
                explain(
                    "a date that is a number, or an ISO date as text",
                    f"{type(date).__name__} {date}",
                    "pass e.g. timestamp.isoformat()",
                )
            )
        for other in claimed:
            if isinstance(other, str) != isinstance(date, str):
                raise TypeError(
                    explain(
                        f"a date like {other!r}, which is in {self.directory}",
                        repr(date),
                        "give snapshots on another clock another folder",
                    )
                )

    def _width(self, field, parts):
        widths = sorted({values.shape[1] for _, values in parts.values()})
        if len(widths) > 1:
            raise ValueError(
                explain(
                    f"snapshots of '{field.name}' of one width",
                    f"the widths {widths} in {self.directory}",
                    "give a pre-training model of another width another folder",
                )
            )
        return widths[0] if widths else 0

    def _folder(self, date):
        return existing_folder(self.directory / _name(date))


def _name(date):
    return urllib.parse.quote(str(date), safe="")


def _check_ids(field, ids):
    """Raises for text on one side and numbers on the other: they match nowhere."""
    if not len(ids) or not field.vocabulary:
        return
    own, other = field.vocabulary[0], next(iter(ids))
    if isinstance(own, str) != isinstance(other, str):
        raise TypeError(
            explain(
                f"ids of '{field.name}' of one kind in the snapshot and in the schema",
                f"{other!r} in the snapshot, {own!r} in the schema",
                "give both models the column with one dtype",
            )
        )


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
