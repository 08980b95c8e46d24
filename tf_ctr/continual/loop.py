"""The loop over periods: test, refresh, train, save."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import pandas as pd

from tf_ctr.continual.callbacks import PeriodCallback
from tf_ctr.continual.methods import TARGET_ONLY, method_function
from tf_ctr.continual.origins import origin
from tf_ctr.continual.periods import Period, check_later, left, ordered
from tf_ctr.continual.refresh import Refresh
from tf_ctr.continual.report import Report, Scalars
from tf_ctr.continual.steps import Plan, step
from tf_ctr.continual.store import Store
from tf_ctr.continual.training import Training
from tf_ctr.features import Schema
from tf_ctr.files import locked
from tf_ctr.scoring import expected_tracing
from tf_ctr.training.workers import check_by_itself


def run(
    periods: Iterable[Period],
    directory: str | os.PathLike,
    target: keras.Model | str | os.PathLike | None = None,
    source: keras.Model | str | os.PathLike | None = None,
    schema: Schema | None = None,
    method: str | Callable[..., keras.Model] = "ctnet",
    refresh: Refresh | None = None,
    training: Training | None = None,
    slices: Sequence[str] | Mapping[str, pd.Series] = (),
    callbacks: Sequence[PeriodCallback] = (),
) -> Report:
    """Trains a target model period by period, from the newest available source model.

    In each period, `run` tests the model of the previous period on the new rows, which
    the model has not seen (prequential evaluation); adds rows for new ids to the
    tables; copies the newest source model into the frozen tower; trains the adapters
    and the target tower on the new rows only; and saves the period in one step.

    To resume a killed run, repeat the call: it gives the same final numbers. To
    continue a run, call it with more periods: finished periods are skipped.

    A new id, from the target's rows or from the source model, starts as a copy of the
    row for unseen ids, in which it was looked up before. No other row changes, and
    every row keeps its optimizer slots.

    Every period starts from the files of the previous period and from its own seed, so
    that a resumed run equals an uninterrupted one. `run` sets Keras's global seed.

    Source: CTNet (arXiv 2208.05728), Algorithm 1. The paper states neither the number
    of epochs per increment nor whether optimizer slots are kept. Here the default is
    one epoch, and slots are kept, unless the method adds trainable weights to a model
    that was trained with Adam: then Adam restarts.

    Args:
        periods: The periods in order. The first one is the paper's `t0`.
        directory: The folder of this run, with one folder per period.
        target: The target model to start from: a `keras.Model`, or the directory of
            another run, whose newest model before the period is used.
        source: The source models: a `keras.Model`, which stays the same, or the
            directory of `train_source`, whose newest model that is ready by the end of
            the period is used.
        schema: The schema of the models passed as `keras.Model`. Source and target
            must describe a field of the same name in the same way, and the target must
            have all fields of the source.
        method: A name in `tf_ctr.transfer.METHODS`, `"target_only"`, or a function
            `(source, target) -> uncompiled model`. Bind further arguments with
            `functools.partial(tf_ctr.transfer.ctnet, adapter="linear")`. `l2_sp` has
            weights outside its layers, so it can take new ids only if it restarts in
            every period.
        refresh: The effect of a newer source model, and the periods to train on. A
            source model with damaged files is skipped with a warning.
        training: How to train the model of a period.
        slices: Columns, e.g. `("user_id", "item_id")`, to measure rows with old and
            with new values separately; a value is new until the model was trained on
            it in the target domain. If the target model was trained elsewhere, pass
            `{column: values that it was trained on}`.
        callbacks: Callbacks to call in every period, in this order.

    Returns:
        The report. It is also in `directory`, as `report.jsonl`, `report.md` and
        TensorBoard scalars and pictures.

    Raises:
        ValueError: If a period is missing, repeated or out of order, a name is unknown,
            a model is missing, `directory` holds a run with other settings, or its
            newest model is damaged; or on one of several workers.
        TypeError: If a period is not a `Period`, or a model is neither a `keras.Model`
            nor a directory.
        LockedError: If another process is running in `directory`.

    Example:

    >>> import tempfile, pandas as pd, tf_ctr
    >>> from tf_ctr.continual import Period, Training, run
    >>> frame = pd.DataFrame({"item": [7, 9, 7, 9], "click": [1, 0, 1, 0]})
    >>> schema = tf_ctr.Schema([tf_ctr.Categorical("item")]).fit(frame)
    >>> model = tf_ctr.backbones.dnn(schema, embedding_dim=2, hidden_units=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = run(
    ...         [Period(0, frame), Period(1, frame.assign(item=[7, 7, 9, 5]))],
    ...         folder,
    ...         target=model,
    ...         schema=schema,
    ...         method="target_only",
    ...         training=Training(verbose=0),
    ...     )
    >>> report.frame[["number", "trained_until", "rows"]]
       number  trained_until  rows
    0       1              0     4
    """
    check_by_itself("continual.run")
    given = ordered(periods)
    plan = Plan(
        target=origin(target, schema, "target"),
        source=origin(source, schema, "source"),
        method=method_function(method, source is not None, target is not None),
        refresh=refresh or Refresh(),
        training=training or Training(),
        slices=tuple(slices),
        known=dict(slices) if isinstance(slices, Mapping) else {},
        callbacks=tuple(callbacks),
    )
    with locked(directory):
        return _run(plan, given, Store(directory))


def _run(plan, given, store):
    store.check_settings(plan.settings())
    records = store.records()
    scalars = Scalars(store.directory / "tensorboard", records)
    first = plan.refresh.first
    last = max(store.numbers(), default=None if first is None else first - 1)
    todo = left(given, last)
    if records and todo:
        check_later(todo[0], records[-1]["end"])
    for callback in plan.callbacks:
        callback.on_run_begin(store.directory)
    for period in todo:
        with expected_tracing():
            record = step(plan, store, period, given, records)
            for callback in plan.callbacks:
                callback.on_period_saved(period, record)
        # As it was saved: the record of a later call is read from there.
        records.append(json.loads(json.dumps(record)))
        scalars.add(record)
        report = Report(records)
        report.write(store.directory)
        if plan.training.verbose:
            print(report.line(record), flush=True)
    if not todo and plan.training.verbose:
        print(f"{store.directory} is finished until period {last}: nothing to train")
    report = Report(records)
    report.write(store.directory)  # A run killed after its last step did not write it.
    scalars.draw(report)
    return report


def train_source(
    periods: Iterable[Period],
    directory: str | os.PathLike,
    model: keras.Model | str | os.PathLike,
    schema: Schema | None,
    refresh: Refresh | None = None,
    training: Training | None = None,
    slices: Sequence[str] | Mapping[str, pd.Series] = (),
    callbacks: Sequence[PeriodCallback] = (),
) -> Report:
    """Trains a source model period by period, for `run` to transfer from.

    This is `run(target=model, method="target_only")`. Source and target have schedules
    of their own: `run` reads the source models that are finished.

    Args:
        periods: The periods of the source domain; see `run`.
        directory: The folder for the models, one per period.
        model: The model to start from: a `keras.Model`, or a directory as in `run`.
        schema: The schema of `model`; `None` if `model` is a directory.
        refresh: As in `run`.
        training: As in `run`.
        slices: As in `run`.
        callbacks: As in `run`.

    Returns:
        The report on the source domain.

    Raises:
        ValueError: As `run`.
        TypeError: As `run`.
    """
    return run(
        periods,
        directory,
        target=model,
        schema=schema,
        method=TARGET_ONLY,
        refresh=refresh,
        training=training,
        slices=slices,
        callbacks=callbacks,
    )
