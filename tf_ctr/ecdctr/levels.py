"""The levels of natural data: tiny and complete pre-training model."""

import dataclasses
import functools
import inspect

from tf_ctr.continual import Level, NotYetError, run
from tf_ctr.continual.store import Store
from tf_ctr.continual.training import Training
from tf_ctr.ecdctr.exchange import (
    export_snapshot,
    snapshot_ids,
    take_newest,
    take_nothing,
    take_the_same,
)
from tf_ctr.ecdctr.snapshots import SnapshotStore
from tf_ctr.errors import check_name, explain
from tf_ctr.surgery.graph import Graph
from tf_ctr.transfer import a_ctr
from tf_ctr.transfer.a_ctr import FRESH
from tf_ctr.transfer.historical import historical_tables

# How a level starts its next period.
STARTS = {"warm": "frozen", "scratch": "restart"}

# When the advertisement model starts again from the pre-trained one.
REINITIALISE = {"arrival": "arrival", "never": "once", "always": "restart"}


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
    tables = Graph(model).tables_by_field
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


def a_ctr_level(
    periods,
    directory,
    cpm,
    snapshots=None,
    window=7,
    reinitialise="arrival",
    batch_norm="reset",
    training=None,
    delay=0,
    **options,
) -> Level:
    """Returns the level of the advertisement model, A-CTR.

    It begins with the first period by whose end there is a CPM, which it trains on
    with those before, as far as the window goes. It has the snapshots that its CPM was
    trained with.

    Source: E-CDCTR (arXiv 2408.16238), abstract: initial parameters from CPM,
    historical embeddings from TPM, daily fine-tuning on advertisements. How many days,
    and when it starts again from CPM, is not known; a week, and with every new CPM, are
    ours.

    Args:
        periods: Advertisement data as `tf_ctr.continual.Period`s, by default days.
        directory: The folder of its run.
        cpm: The `Level` of CPM.
        snapshots: The folder of TPM's snapshots; `None` for a model without.
        window: Periods to train on, the newest ones: in every period again, so that a
            model that goes on passes over a row as often as it is in a window;
            `window_when="restart"` takes them only where it starts from CPM.
        reinitialise: When the model starts again from the newest CPM: `"arrival"` of
            a new one, `"never"`, or `"always"`, in every period.
        batch_norm: See `tf_ctr.transfer.a_ctr`. Unless it is `"keep"`, the moving
            statistics are measured at the end of every period's training; then,
            only if `training` says so.
        training: A `tf_ctr.continual.Training`.
        delay: See `tf_ctr.continual.Level`.
        **options: Of `tf_ctr.continual.run`: `slices`, `seed`, `export`, ...

    Returns:
        A `tf_ctr.continual.Level` for `tf_ctr.continual.run_levels`.

    Raises:
        ValueError: If a choice or an option is unknown, or by `Level`.
    """
    check_name("start of BatchNorm", batch_norm, FRESH)
    training = training or Training()
    if batch_norm != "keep":
        training = dataclasses.replace(training, measure_batch_norm=True)
    level = on_periods(
        _run_from_first,
        directory=directory,
        source=cpm.directory,
        method=_start,
        arguments={"batch_norm": batch_norm},
        refresh=chosen("time to start again", reinitialise, REINITIALISE),
        window=window,
        prepare=preparing(take_the_same, snapshots),
        training=training,
        **options,
    )
    return Level("A-CTR", periods, directory, level, (cpm,), delay)


def _start(source, target, batch_norm):
    return a_ctr(source, batch_norm)


def _run_from_first(periods, directory, source, **options):
    """Runs the periods by whose end there is a source model; the window has all."""
    first = periods[0].number
    if not Store(directory).numbers():
        first = _first_with_source(periods, Store(source))
    return run(periods, directory, source=source, first=first, **options)


def _first_with_source(periods, store):
    for period in periods:
        if store.latest(period.end, good=store.is_whole) is not None:
            return period.number
    raise NotYetError(
        explain(
            "a finished CPM to start from",
            f"none in {store.directory} by then",
            "nothing, if it is still to come: A-CTR starts with the first one",
        )
    )


def chosen(kind, name, choices):
    """Returns what a name stands for.

    Raises:
        ValueError: If the name is unknown, with those there are.
    """
    check_name(kind, name, choices)
    return choices[name]


def on_periods(function, **options):
    """Returns a function of periods: `run`, or one that passes what it gets to it.

    Args:
        function: The function.
        **options: Of `tf_ctr.continual.run`.

    Raises:
        ValueError: If `run` has no such option, with those that it has.
    """
    known = inspect.signature(run).parameters
    for name in options:
        check_name("option of tf_ctr.continual.run", name, known)
    return functools.partial(function, **options)


def preparing(take, snapshots):
    """Returns `take` with the snapshots of a folder; without one, what warns."""
    if snapshots is None:
        return take_nothing
    return functools.partial(take, SnapshotStore(snapshots))
