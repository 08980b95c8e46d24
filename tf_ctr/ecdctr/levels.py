"""The three levels of E-CDCTR: runs with callbacks that exchange snapshots."""

import dataclasses
import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import keras
import pandas as pd

from tf_ctr.continual import (
    GuardCallback,
    Level,
    NotYetError,
    Period,
    PeriodCallback,
    Refresh,
    Training,
    run,
)
from tf_ctr.continual.store import Store
from tf_ctr.ecdctr.exchange import ExportSnapshots, ImportSnapshots
from tf_ctr.ecdctr.snapshots import SnapshotStore
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema
from tf_ctr.surgery import Graph
from tf_ctr.transfer import a_ctr
from tf_ctr.transfer.a_ctr import BATCH_NORM_STARTS

Path = str | os.PathLike

TPM_REFRESH = Refresh(window=6)
CPM_REFRESH = Refresh(window=4)
A_CTR_REFRESH = Refresh(every="arrival", restart=True, window=7)


def tpm_level(
    periods: Iterable[Period],
    directory: Path,
    model: keras.Model,
    schema: Schema,
    snapshots: Path | SnapshotStore,
    fields: Sequence[str],
    refresh: Refresh = TPM_REFRESH,
    training: Training | None = None,
    callbacks: Sequence[PeriodCallback] = (),
    delay: float = 0,
) -> Level:
    """Returns the level of the tiny pre-training model, TPM.

    After each period, the embeddings of some fields are written as a snapshot.

    Source: E-CDCTR (arXiv 2408.16238), abstract: a tiny model with several basic
    features on long-term natural data. Write-ups of the paper report six months of
    monthly periods, and a snapshot per month.

    Args:
        periods: The periods of natural data, usually months.
        directory: The folder of the run.
        model: A small uncompiled `keras.Model` of `schema`, e.g. a
            `tf_ctr.backbones.dnn` with one hidden layer.
        schema: A fitted `tf_ctr.Schema` of a few basic fields.
        snapshots: The folder to write snapshots to, or `SnapshotStore(folder, keep=6)`
            to keep only the newest.
        fields: The fields whose embeddings to export: users and items.
        refresh: Which periods to train on. By default a period's model continues from
            the previous one, so that all snapshots are in one space, which a mean over
            them needs. `Refresh(every="period", restart=True, window=6)` restarts from
            `model`. We do not know which of the two the paper uses.
        training: How to train the model of a period.
        callbacks: Further callbacks, called after the one that writes the snapshot,
            except for a `GuardCallback`, which may hold the snapshot back.
        delay: The time that training takes; see `tf_ctr.continual.Level`.

    Returns:
        A level for `tf_ctr.continual.run_levels`.

    Raises:
        ValueError: If a field is unknown or has no vocabulary, or by `Level`.
        TypeError: By `Level`.
    """
    tables = Graph(model).tables_by_field
    for name in fields:
        check_name("field with an embedding", name, tables)
        if schema.field(name).vocabulary is None:
            raise ValueError(
                explain(
                    "fields with a vocabulary, to export the embeddings of its ids",
                    f"the field '{name}'",
                    "export users and items; a hashed field keeps no ids to look up",
                )
            )
    if not isinstance(snapshots, SnapshotStore):
        snapshots = SnapshotStore(snapshots)
    guards = [each for each in callbacks if isinstance(each, GuardCallback)]
    others = [each for each in callbacks if each not in guards]
    level_run = functools.partial(
        run,
        directory=directory,
        target=model,
        schema=schema,
        method="target_only",
        refresh=refresh,
        training=training,
        callbacks=[*guards, ExportSnapshots(snapshots, fields), *others],
    )
    return Level("TPM", periods, directory, level_run, delay=delay)


def cpm_level(
    periods: Iterable[Period],
    directory: Path,
    model: keras.Model,
    schema: Schema,
    snapshots: Path | None = None,
    tpm: Level | None = None,
    refresh: Refresh = CPM_REFRESH,
    training: Training | None = None,
    callbacks: Sequence[PeriodCallback] = (),
    delay: float = 0,
) -> Level:
    """Returns the level of the complete pre-training model, CPM.

    Before each period the model takes the newest snapshots, and gets a row for each of
    their ids, except in fields with a given vocabulary. So the model has a historical
    embedding even for a user who is absent from its own recent data.

    Source: E-CDCTR (arXiv 2408.16238), abstract: the network structure and features of
    the advertisement model, on short-term natural data. Write-ups of the paper report
    the last month, in weeks.

    Args:
        periods: The periods of natural data, usually weeks. On periods of
            advertisements, this trains a model without transfer.
        directory: The folder of the run.
        model: An uncompiled `keras.Model` of `schema`, with or without historical
            embeddings from `tf_ctr.transfer.add_historical`.
        schema: The fitted `tf_ctr.Schema` of the advertisement model.
        snapshots: The folder of TPM's snapshots; `None` for a model without historical
            embeddings.
        tpm: TPM's level, so that a late TPM is reported.
        refresh: Which periods to train on. By default each model continues from the
            previous one and is trained on four weeks, the paper's window, so that it
            sees each row four times. `Refresh(window=1)` was better on real data (see
            `pipelines/ecdctr/README.md`).
            `Refresh(every="period", restart=True, window=4)` restarts from `model`. We
            do not know which of the two the paper uses.
        training: How to train the model of a period.
        callbacks: Further callbacks, called after the one that reads the snapshots.
        delay: The time that training takes; see `tf_ctr.continual.Level`.

    Returns:
        A level for `tf_ctr.continual.run_levels`.

    Raises:
        ValueError: By `Level`.
        TypeError: By `Level`.
    """
    level_run = functools.partial(
        run,
        directory=directory,
        target=model,
        schema=schema,
        method="target_only",
        refresh=refresh,
        training=training,
        callbacks=[_import_snapshots(snapshots, newest=True), *callbacks],
    )
    reads = () if tpm is None else (tpm,)
    return Level("CPM", periods, directory, level_run, reads, delay)


def a_ctr_level(
    periods: Iterable[Period],
    directory: Path,
    cpm: Level,
    snapshots: Path | None = None,
    refresh: Refresh = A_CTR_REFRESH,
    batch_norm: Literal["reset", "reset_statistics", "keep"] = "reset",
    training: Training | None = None,
    slices: Sequence[str] | Mapping[str, pd.Series] = (),
    callbacks: Sequence[PeriodCallback] = (),
    delay: float = 0,
) -> Level:
    """Returns the level of the advertisement model, A-CTR.

    The level starts in the first period by whose end a CPM is ready. In this period the
    model is also trained on earlier periods, as far as the window reaches. The model
    has the same snapshots as its CPM.

    Source: E-CDCTR (arXiv 2408.16238), abstract: initial parameters from CPM,
    historical embeddings from TPM, daily fine-tuning on advertisements. We do not know
    on how many days the model is trained, nor when it restarts from CPM: a week, and a
    restart with every new CPM, are our choices.

    Args:
        periods: The periods of advertisement data, usually days.
        directory: The folder of the run.
        cpm: CPM's level.
        snapshots: The folder of TPM's snapshots; `None` for a model without historical
            embeddings.
        refresh: When to restart from the newest CPM, and which periods to train on. A
            model that does not restart sees a row once in every window that includes
            it, unless `window_when="restart"`. This level sets `first` itself.
        batch_norm: How to start BatchNorm; see `tf_ctr.transfer.a_ctr`. Unless it is
            `"keep"`, the moving statistics are measured after every training, whatever
            `training` says.
        training: How to train the model of a period.
        slices: As in `tf_ctr.continual.run`.
        callbacks: Further callbacks, called after the one that reads the snapshots.
        delay: The time that training takes; see `tf_ctr.continual.Level`.

    Returns:
        A level for `tf_ctr.continual.run_levels`.

    Raises:
        ValueError: If `batch_norm` is unknown, or by `Level`.
        TypeError: By `Level`.
    """
    check_name("start of BatchNorm", batch_norm, BATCH_NORM_STARTS)
    training = training or Training()
    if batch_norm != "keep":
        training = dataclasses.replace(training, measure_batch_norm=True)
    level_run = functools.partial(
        _run_from_first_cpm,
        directory=directory,
        source=cpm.directory,
        method=functools.partial(_start, batch_norm=batch_norm),
        refresh=refresh,
        training=training,
        slices=slices,
        callbacks=[_import_snapshots(snapshots, newest=False), *callbacks],
    )
    return Level("A-CTR", periods, directory, level_run, (cpm,), delay)


def _import_snapshots(folder, newest):
    return ImportSnapshots(None if folder is None else SnapshotStore(folder), newest)


def _start(source, target, batch_norm):
    # Do not rename: finished runs record this name, and a resumed run compares it.
    return a_ctr(source, batch_norm)


def _run_from_first_cpm(periods, directory, source, refresh, **options):
    """Runs the periods from the first one with a CPM; earlier ones fill windows."""
    first = periods[0].number
    if not Store(directory).numbers():
        first = _first_with_cpm(periods, Store(source))
    refresh = dataclasses.replace(refresh, first=first)
    return run(periods, directory, source=source, refresh=refresh, **options)


def _first_with_cpm(periods, store):
    for period in periods:
        if store.latest(period.end, good=store.is_intact) is not None:
            return period.number
    raise NotYetError(
        explain(
            "a finished CPM to start from",
            f"none in {store.directory} by the end of period {periods[-1].label}",
            "do nothing if CPM is due later: A-CTR starts with the first CPM",
        )
    )
