"""Dated snapshots of embedding tables, keyed by the ids of their rows."""

import functools
import os
import pathlib
import urllib.parse
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tf_ctr.continual.times import kind, moment
from tf_ctr.ecdctr import snapshot_folder
from tf_ctr.ecdctr.snapshot_folder import Date
from tf_ctr.errors import check_count, explain
from tf_ctr.features.field import Field
from tf_ctr.files import remove_folder


class SnapshotStore:
    """A folder of snapshots, each written whole or not at all.

    `{date}/{field}.parquet` holds the ids of a field's vocabulary and their embeddings;
    `{date}/manifest.json` holds the checksums of these files. A damaged snapshot is
    skipped with a warning.

    Args:
        directory: The folder. The first `add` creates it.
        keep: How many snapshots `add` leaves, the newest; `None` leaves all. A model
            with K historical embeddings reads its own K snapshots again for new ids, so
            keep K and those that are written until a model takes newer ones. If one is
            gone, the model keeps its embeddings, with a warning.

    Raises:
        ValueError: If `keep` is neither a whole number of at least 1 nor `None`.

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
    >>> found[1][2:, :, 0]  # Rows 0 and 1 are for missing and unseen ids.
    array([[2., 5.],
           [0., 0.],
           [1., 0.]], dtype=float32)
    """

    def __init__(self, directory: str | os.PathLike, keep: int | None = None) -> None:
        if keep is not None:
            check_count("keep", keep, least=1)
        self.directory = pathlib.Path(directory)
        self.keep = keep

    def add(
        self, date: Date, tables: Mapping[str, tuple[Collection[Any], Any]]
    ) -> None:
        """Writes a snapshot, and replaces one of the same date; then removes old ones.

        Args:
            date: A number, or an ISO date as text.
            tables: `{field: (ids, embeddings [n, D])}`, with ids as in the field's
                vocabulary.

        Raises:
            ValueError: If there is no table, or not one finite embedding per id.
            TypeError: If the date is neither a number nor text, or the dates in the
                folder are of the other kind.
        """
        if isinstance(date, np.generic):  # JSON cannot hold NumPy values.
            date = date.item()
        # A damaged snapshot matters to readers, not to a writer.
        with warnings.catch_warnings(action="ignore"):
            others = list(self._listed())
        self._check_date(date, others)
        arrays = {
            field: (list(ids), np.asarray(embeddings, "float32"))
            for field, (ids, embeddings) in tables.items()
        }
        snapshot_folder.write(self.directory / _folder_name(date), date, arrays)
        if self.keep is not None:
            by_date = functools.partial(moment, "date")
            old = sorted({*others, date}, key=by_date)[: -self.keep]
            for each in old:
                remove_folder(self._folder(each))
            if date in old:
                warnings.warn(
                    f"The snapshot of {date!r} is not kept: {self.directory} has "
                    f"{self.keep} later ones.",
                    stacklevel=2,
                )

    def dates(self, until: Date | None = None, newest: int | None = None) -> list[Date]:
        """Returns the dates of the intact snapshots, oldest first.

        Args:
            until: Leave out later dates.
            newest: Return at most this many, the newest ones.

        Raises:
            TypeError: If `until` is not of the kind of the dates in the folder.
        """
        listed = list(self._listed())
        if until is not None:
            self._check_date(until, listed)
            end = moment("end", until)
            listed = [date for date in listed if moment("date", date) <= end]
        found: list[Date] = []
        for date in sorted(listed, key=functools.partial(moment, "date"), reverse=True):
            # Checksums are slow to compute, so stop once there are enough snapshots.
            if len(found) != newest and snapshot_folder.is_intact(self._folder(date)):
                found.append(date)
        return found[::-1]

    def table(
        self,
        field: Field,
        num_snapshots: int = 3,
        until: Date | None = None,
        dates: Sequence[Date | None] | None = None,
    ) -> tuple[tuple[Date | None, ...], np.ndarray, np.ndarray]:
        """Returns the newest snapshots of a field, aligned with its vocabulary.

        Args:
            field: A fitted `tf_ctr.Categorical` with a vocabulary.
            num_snapshots: K. If there are fewer snapshots, the first places stay empty.
            until: Leave out snapshots of later dates.
            dates: The dates of K snapshots to read instead of the newest, `None` for an
                empty place.

        Returns:
            A tuple `(dates, embeddings, known)`: K dates, `None` for an empty place;
            the embeddings `[n, K, D]`, zero where unknown; and a mask `[n, K]` of the
            known ones. The `n` rows include those of missing and unseen ids, which are
            never known. `D` is 0 if there is no snapshot.

        Raises:
            ValueError: If the field has no vocabulary, a snapshot lacks the field, or
                the snapshots differ in width.
            TypeError: If the field's ids and those of a snapshot differ in kind.
        """
        vocabulary = field.vocabulary
        if vocabulary is None:
            raise ValueError(
                explain(
                    "a fitted categorical field with a vocabulary",
                    repr(field),
                    "call schema.fit; a hashed field keeps no ids to look up",
                )
            )
        if dates is None:
            found = self.dates(until, num_snapshots)
            dates = [*[None] * (num_snapshots - len(found)), *found]
        snapshots = {
            place: snapshot_folder.read(self._folder(date), field.name)
            for place, date in enumerate(dates)
            if date is not None
        }
        widths = sorted({embeddings.shape[1] for _, embeddings in snapshots.values()})
        if len(widths) > 1:
            raise ValueError(
                explain(
                    f"snapshots of '{field.name}' of one width",
                    f"the widths {widths} in {self.directory}",
                    "use another folder for a pre-training model of another width",
                )
            )
        first = 1 + field.num_oov  # Rows of missing and unseen ids come first.
        rows = first + len(vocabulary)
        width = widths[0] if widths else 0
        aligned = np.zeros((rows, len(dates), width), "float32")
        known = np.zeros((rows, len(dates)), bool)
        for place, (ids, embeddings) in snapshots.items():
            _check_kind_of_ids(field, ids)
            at = pd.Index(ids).get_indexer(list(vocabulary))
            own = np.flatnonzero(at >= 0)
            aligned[first + own, place] = embeddings[at[own]]
            known[first + own, place] = True
        return tuple(dates), aligned, known

    def ids(self, field: str, dates: Iterable[Date]) -> list[Any]:
        """Returns the ids of a field in some snapshots, without repeats.

        Args:
            field: The name of the field.
            dates: The dates of the snapshots.

        Raises:
            ValueError: If a snapshot lacks the field.
        """
        found = [snapshot_folder.read_ids(self._folder(date), field) for date in dates]
        return pd.concat(found).drop_duplicates().tolist() if found else []

    def _listed(self) -> Iterator[Any]:
        """Yields the date of every folder whose manifest can be read."""
        for name in snapshot_folder.names(self.directory):
            folder = snapshot_folder.existing(self.directory / name)
            date = snapshot_folder.read_date(folder)
            if date is None:
                continue
            if name != _folder_name(date):
                why = f"its date is {date!r}; rename the folder to match"
                snapshot_folder.skip(folder, why)
                continue
            try:
                moment("date", date)
            except (TypeError, ValueError):  # Version 0.2 took any text.
                why = f"its date is {date!r}, which is neither a number nor an ISO date"
                snapshot_folder.skip(folder, why)
            else:
                yield date

    def _folder(self, date):
        return snapshot_folder.existing(self.directory / _folder_name(date))

    def _check_date(self, date, others):
        moment("date", date)
        for other in others:
            if kind(other) != kind(date):
                raise TypeError(
                    explain(
                        f"a date like {other!r}, which is in {self.directory}",
                        repr(date),
                        "use another folder for snapshots on another clock",
                    )
                )


def _folder_name(date):
    return urllib.parse.quote(str(date), safe="")


def _check_kind_of_ids(field, ids):
    # Text never matches numbers: all embeddings would silently be unknown.
    if not len(ids) or not field.vocabulary:
        return
    own, other = field.vocabulary[0], next(iter(ids))
    if isinstance(own, str) != isinstance(other, str):
        raise TypeError(
            explain(
                f"ids of '{field.name}' of one kind in the snapshot and in the schema",
                f"{other!r} in the snapshot, {own!r} in the schema",
                "give the column one dtype for both models",
            )
        )
