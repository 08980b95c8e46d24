"""The levels of natural data: tiny and complete pre-training model."""

import functools

from tf_ctr.continual import Level, run
from tf_ctr.ecdctr.choices import STARTS, chosen, on_periods, preparing
from tf_ctr.ecdctr.exchange import export_snapshot, snapshot_ids, take_newest
from tf_ctr.ecdctr.snapshots import SnapshotStore
from tf_ctr.errors import check_name, explain
from tf_ctr.surgery.graph import embedding_calls
from tf_ctr.transfer.historical import historical_tables


def tpm_level(
    periods,
    directory,
    model,
    schema,
    snapshots,
    fields,
    window=6,
    start="warm",
    delay=0,
    **options,
) -> Level:
    """Returns the level of the tiny pre-training model, TPM.

    When a period is trained, the embeddings of some fields become a snapshot of the
    period's end.

    Source: E-CDCTR (arXiv 2408.16238), abstract: a tiny model with several basic
    features on long-term natural data. Six months, monthly, and a snapshot a month are
    what write-ups of the paper report.

    Args:
        periods: Natural data as `tf_ctr.continual.Period`s, by default months.
        directory: The folder of its run.
        model: A small uncompiled `keras.Model` of `schema`, e.g. a
            `tf_ctr.backbones.dnn` with one hidden layer.
        schema: A fitted `tf_ctr.Schema` of a few basic fields.
        snapshots: The folder of its snapshots.
        fields: The fields of `schema` whose embeddings it exports: users and items.
        window: Periods to train on, the newest ones.
        start: `"warm"`: from the model of the period before, so that its snapshots
            are in one space, as a mean over them needs. `"scratch"`: from `model`. The
            paper is not known to say which.
        delay: See `tf_ctr.continual.Level`.
        **options: Of `tf_ctr.continual.run`: `training`, `seed`, `verbose`, ...

    Returns:
        A `tf_ctr.continual.Level` for `tf_ctr.continual.run_levels`.

    Raises:
        ValueError: If a field, a start or an option is unknown, or by `Level`.
    """
    tables = embedding_calls(model)
    for name in fields:
        check_name("field with an embedding", name, tables)
        if getattr(schema.field(name), "vocabulary", None) is None:
            raise ValueError(
                explain(
                    "fields with a vocabulary, to export the embeddings of its ids",
                    f"the field '{name}'",
                    "export users and items; hashed ids have no key to find them by",
                )
            )
    level = on_periods(
        run,
        directory=directory,
        target=model,
        schema=schema,
        method="target_only",
        refresh=chosen("start", start, STARTS),
        window=window,
        publish=functools.partial(export_snapshot, SnapshotStore(snapshots), fields),
        **options,
    )
    return Level("TPM", periods, directory, level, delay=delay)


def cpm_level(
    periods,
    directory,
    model,
    schema,
    snapshots=None,
    tpm=None,
    window=4,
    start="warm",
    delay=0,
    **options,
) -> Level:
    """Returns the level of the complete pre-training model, CPM.

    Before a period is trained, the model takes the newest snapshots there are, and
    gives a row to every id in them, but for fields whose vocabulary was given and is
    not fitted: who was absent for longer than the data of the period go back is known
    by his historical embedding.

    Source: E-CDCTR (arXiv 2408.16238), abstract: network structure and features of the
    advertisement model, on short-term natural data. The last month, weekly, is what
    write-ups of the paper report.

    Args:
        periods: Natural data as `tf_ctr.continual.Period`s, by default weeks. On
            those of advertisements this trains a model of them alone.
        directory: The folder of its run.
        model: An uncompiled `keras.Model` of `schema`, with historical embeddings as
            `tf_ctr.transfer.add_historical` makes it, or without.
        schema: The fitted `tf_ctr.Schema` of the advertisement model.
        snapshots: The folder of TPM's snapshots; `None` for a model without.
        tpm: TPM's level, to say when it is late.
        window: Periods to train on, the newest ones. A model that goes on passes over
            a row as often as it is in a window: 1 passes over each row once, which was
            better on real data (`pipelines/README.md`), though a month is the paper's.
        start: `"warm"`: from the model of the period before. `"scratch"`: from `model`.
            The paper is not known to say which.
        delay: See `tf_ctr.continual.Level`.
        **options: Of `tf_ctr.continual.run`: `training`, `seed`, `verbose`, ...

    Returns:
        A `tf_ctr.continual.Level` for `tf_ctr.continual.run_levels`.

    Raises:
        ValueError: If a start or an option is unknown, or by `Level`.
    """
    ids = None
    if snapshots is not None:
        tables = historical_tables(model)
        ids = functools.partial(snapshot_ids, SnapshotStore(snapshots), tables)
    level = on_periods(
        run,
        directory=directory,
        target=model,
        schema=schema,
        method="target_only",
        refresh=chosen("start", start, STARTS),
        window=window,
        ids=ids,
        prepare=preparing(take_newest, snapshots),
        **options,
    )
    reads = () if tpm is None else (tpm,)
    return Level("CPM", periods, directory, level, reads, delay)
