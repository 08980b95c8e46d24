"""Dated snapshots of embedding tables, by the ids of their rows."""

import numbers
import pathlib
import urllib.parse
import warnings

import numpy as np
import pandas as pd

from tf_ctr.ecdctr.snapshot_files import (
    existing_folder,
    is_whole,
    read_embeddings,
    read_keys,
    skip,
    snapshot_date,
    snapshot_names,
    write_snapshot,
)
from tf_ctr.errors import explain


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
