"""The level of advertisements."""

import dataclasses

from tf_ctr.continual import Level, NotYetError, run
from tf_ctr.continual.store import Store
from tf_ctr.continual.training import Training
from tf_ctr.ecdctr.choices import REINITIALISE, chosen, on_periods, preparing
from tf_ctr.ecdctr.exchange import take_the_same
from tf_ctr.errors import check_name, explain
from tf_ctr.transfer import a_ctr
from tf_ctr.transfer.a_ctr import FRESH


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
