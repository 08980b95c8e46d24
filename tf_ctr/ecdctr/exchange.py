"""Two callbacks by which the levels of E-CDCTR exchange snapshots."""

import warnings
from collections.abc import Sequence
from typing import Any

import keras

from tf_ctr.continual import Period, PeriodCallback
from tf_ctr.ecdctr.snapshots import SnapshotStore
from tf_ctr.features import Schema
from tf_ctr.surgery import Graph
from tf_ctr.transfer.historical import fill_historical, historical_tables


class ExportSnapshots(PeriodCallback):
    """Writes the trained embeddings of every period as a snapshot.

    The snapshot's date is the time at which the period's model is ready. The record
    holds the number of ids per field as `published`.

    Args:
        snapshots: The store to write to.
        fields: Names of the fields whose embeddings to export; each has a vocabulary.
    """

    def __init__(self, snapshots: SnapshotStore, fields: Sequence[str]) -> None:
        self._snapshots, self._fields = snapshots, fields

    def on_period_end(
        self,
        period: Period,
        model: keras.Model,
        schema: Schema,
        record: dict[str, Any],
    ) -> None:
        """Writes the snapshot; a repeated period replaces its snapshot."""
        if "held" in record:  # By a `GuardCallback`.
            return
        layers, tables = Graph(model).tables_by_field, {}
        for name in self._fields:
            vocabulary = schema.field(name).vocabulary or ()
            (rows,) = model.get_layer(layers[name]).get_weights()
            # The rows before the vocabulary stand for missing and unseen ids.
            tables[name] = vocabulary, rows[len(rows) - len(vocabulary) :]
        self._snapshots.add(period.ready, tables)
        record["published"] = {name: len(ids) for name, (ids, _) in tables.items()}


class ImportSnapshots(PeriodCallback):
    """Fills the historical embeddings of a model before it is trained.

    The record holds the dates of the model's snapshots as `prepared`. A model without
    historical embeddings does not change.

    Args:
        snapshots: The store to read from. With `None`, a model with historical
            embeddings keeps them, with a warning.
        newest: `True` takes the newest snapshots by the end of the period, and gives
            the model a row for each of their ids. `False` reads the model's own
            snapshots again, for ids that are new to the model. If one of them can no
            longer be read, the model keeps its embeddings, with a warning.
    """

    def __init__(self, snapshots: SnapshotStore | None, newest: bool) -> None:
        self._snapshots, self._newest = snapshots, newest

    def ids(self, period: Period, model: keras.Model) -> dict[str, list[int | str]]:
        """Returns the ids of the newest snapshots, by field."""
        tables = historical_tables(model)
        if self._snapshots is None or not self._newest or not tables:
            return {}
        dates = self._snapshots.dates(period.end, newest=len(_places(tables)))
        return {name: self._snapshots.ids(name, dates) for name in tables}

    def on_period_begin(
        self,
        period: Period,
        model: keras.Model,
        schema: Schema,
        record: dict[str, Any],
    ) -> None:
        """Fills the historical embeddings in place."""
        tables = historical_tables(model)
        if not tables:
            record["prepared"] = []
            return
        if self._snapshots is None:
            warnings.warn(
                "The model has historical embeddings, but no folder of snapshots was "
                "given: ids that are new to the model have none. Pass snapshots=.",
                stacklevel=2,
            )
        else:
            places = self._places_to_fill(self._snapshots, tables, period)
            if any(date is not None for date in places):
                filled = {
                    name: self._snapshots.table(schema.field(name), dates=places)
                    for name in tables
                }
                fill_historical(model, filled)
        record["prepared"] = [date for date in _places(tables) if date is not None]

    def _places_to_fill(self, snapshots, tables, period):
        """Returns the K dates to fill; without any date, the model does not change."""
        places = _places(tables)
        if self._newest:
            found = snapshots.dates(period.end, newest=len(places))
            return [*[None] * (len(places) - len(found)), *found]
        wanted = [date for date in places if date is not None]
        if not wanted or snapshots.dates(wanted[-1], len(wanted)) == wanted:
            return places
        warnings.warn(
            f"Some of the snapshots {wanted} in {snapshots.directory} can no longer be "
            "read: ids that are new to the model have no historical embedding until "
            "the next snapshot.",
            stacklevel=3,
        )
        return []


def _places(tables):
    """Returns the K dates that all tables share, `None` for an empty place."""
    return next(iter(tables.values())).dates
