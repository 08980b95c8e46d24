"""What the levels of E-CDCTR give each other: snapshots, out of one and into others."""

import warnings

from tf_ctr.surgery.graph import Graph
from tf_ctr.transfer.historical import fill_historical, historical_tables


def export_snapshot(snapshots, fields, model, schema, period) -> dict:
    """Writes the embeddings of the ids of some fields as the snapshot of a period.

    Args:
        snapshots: A `SnapshotStore`.
        fields: The fields.
        model: The tiny pre-training model.
        schema: Its schema.
        period: The period; the snapshot's date is when it is ready.

    Returns:
        The number of ids by field.
    """
    calls, tables = Graph(model).tables_by_field, {}
    for name in fields:
        field = schema.field(name)
        first = field.table_size - len(field.vocabulary)
        (rows,) = model.get_layer(calls[name]).get_weights()
        tables[name] = field.vocabulary, rows[first:]
    snapshots.add(period.ready, tables)
    return {name: len(ids) for name, (ids, _) in tables.items()}


def snapshot_ids(snapshots, tables, period) -> dict:
    """Returns the ids of the snapshots that `take_newest` takes.

    Args:
        snapshots: A `SnapshotStore`.
        tables: The historical tables of the model, by field.
        period: The period.

    Returns:
        `{field: ids}`.
    """
    dates = snapshots.dates(period.end, _count(tables)) if tables else []
    return {name: snapshots.ids(name, dates) for name in tables}


def take_newest(snapshots, model, schema, period) -> list:
    """Gives a model the newest snapshots that there are at the end of a period.

    Args:
        snapshots: A `SnapshotStore`.
        model: A model with historical embeddings, changed in place, or without.
        schema: Its schema.
        period: The period.

    Returns:
        The dates of the snapshots that the model has now.
    """
    tables = historical_tables(model)
    if not tables:
        return []
    count = _count(tables)
    dates = snapshots.dates(period.end, count)
    if not dates:
        return _dates(tables)  # The model keeps what it has.
    dates = [None] * (count - len(dates)) + dates
    _fill(snapshots, model, schema, dates)
    return _dates(tables)


def take_the_same(snapshots, model, schema, period) -> list:
    """Gives a model the snapshots that it has once more, for ids that are new to it.

    Arguments and return value are those of `take_newest`. If one of the snapshots
    cannot be read any more, the model keeps what it has, with a warning.
    """
    tables = historical_tables(model)
    if not tables:
        return []
    wanted = _dates(tables)
    if not wanted:
        return []
    if snapshots.dates(wanted[-1], len(wanted)) == wanted:
        _fill(snapshots, model, schema, _places(tables))
    else:
        warnings.warn(
            f"Of the snapshots {wanted} some cannot be read in {snapshots.directory}: "
            "new ids have no historical embedding until the next ones.",
            stacklevel=2,
        )
    return _dates(tables)


def take_nothing(model, schema, period) -> list:
    """Warns if a model with historical embeddings has no snapshots to read.

    Arguments and return value are those of `take_newest`, without snapshots.
    """
    tables = historical_tables(model)
    if tables:
        warnings.warn(
            "The model has historical embeddings, and there is no folder of snapshots: "
            "ids that are new to it have none. Pass snapshots=.",
            stacklevel=2,
        )
        return _dates(tables)
    return []


def _fill(snapshots, model, schema, dates):
    fill_historical(
        model,
        {
            name: snapshots.table(schema.field(name), dates=dates)
            for name in historical_tables(model)
        },
    )


def _places(tables):
    """The dates of all tables alike, `None` for an empty place."""
    return next(iter(tables.values())).dates


def _count(tables):
    return len(_places(tables))


def _dates(tables):
    return [date for date in _places(tables) if date is not None]
