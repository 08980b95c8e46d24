"""Runs one period: test, refresh, train, save."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from tf_ctr.continual import methods
from tf_ctr.continual.callbacks import PeriodCallback
from tf_ctr.continual.measuring import measure_scores, with_seen
from tf_ctr.continual.methods import (
    grown_model,
    grown_schema,
    with_ids,
)
from tf_ctr.continual.odd_days import ODD, odd_rows
from tf_ctr.continual.origins import FixedModel, PeriodModels
from tf_ctr.continual.periods import Period
from tf_ctr.continual.refresh import Refresh
from tf_ctr.continual.store import Finished, Record, Store
from tf_ctr.continual.training import Training
from tf_ctr.errors import explain
from tf_ctr.evaluation import predict_by_label


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """The checked arguments of `tf_ctr.continual.run`.

    Attributes:
        target: Loads the target models to start from; `None` without such models.
        source: Loads the source models; `None` without such models.
        method: The function of the method.
        refresh: The effect of a newer source model.
        training: How to train a model.
        slices: Columns whose new and old values are measured separately.
        known: `{column: values}` that a given target model was trained on.
        callbacks: Called in every period.
    """

    target: FixedModel | PeriodModels | None
    source: FixedModel | PeriodModels | None
    method: Callable[..., keras.Model]
    refresh: Refresh
    training: Training
    slices: Sequence[str]
    known: Mapping[str, pd.Series]
    callbacks: Sequence[PeriodCallback]

    def settings(self) -> dict[str, Any]:
        """Returns the values that two calls must share to continue one run."""
        return {
            **methods.settings(self.method),
            "slices": list(self.slices),
            **self.refresh.settings(),
            **self.training.settings(),
        }


def step(
    plan: Plan,
    store: Store,
    period: Period,
    periods: Sequence[Period],
    records: Sequence[Record],
) -> dict[str, Any]:
    """Runs one period, and saves it in one step.

    Args:
        plan: The arguments of the run.
        store: The folder of the run.
        period: The period.
        periods: All periods given to the run.
        records: The records of the earlier periods.

    Returns:
        The record of the period.
    """
    record = {
        "number": int(period.number),
        "name": period.label,
        "end": period.end,
        "ready": period.ready,
        "settings": plan.settings(),
        "trained": False,
        "test": None,
    }
    frame = period.read()
    if not len(frame):
        record["skipped"] = "no row"
        store.add(record)
        return record
    period = dataclasses.replace(period, data=frame)  # So that it is read only once.
    seed = period_seed(plan.training.seed, period.number)
    keras.utils.set_random_seed(seed)
    latest = store.latest()
    before = scores = None
    if latest is not None:
        before = store.load(latest)
        of_label = predict_by_label(before.model, frame, before.schema)
        scores = np.stack([*of_label.values()], axis=-1)
        scores = scores if len(of_label) > 1 else scores[:, 0]
        metrics = measure_scores(
            of_label, frame, before.schema, before.seen, plan.slices
        )
        record["test"] = {"trained_until": before.number, **metrics}
    began = time.perf_counter()
    restarts = before is None or _restarts(plan, latest, period)
    window = plan.refresh.periods_to_train(period, periods, store.numbers(), restarts)
    # In the first window of a run all rows are new to the model; in later windows only
    # those of the newest period.
    new = [period] if before is not None else window
    model, schema, seen, used = _model_to_train(plan, before, latest, new, restarts)
    record |= used
    odd = odd_rows(frame, before.schema if before else schema, schema, records)
    if odd:
        record[ODD] = odd
        # Not only with `verbose`: someone should look.
        print(f"period {period.number} ({period.label}): {'; '.join(odd)}", flush=True)
    for callback in plan.callbacks:
        callback.on_period_begin(period, model, schema, record)
    rows, loss = plan.training.fit(model, schema, window, seed)
    for each in new:
        seen = with_seen(seen, each.read(), plan.slices)
    record |= {"trained": True, "rows_trained": rows, "loss": loss}
    record["seconds"] = time.perf_counter() - began
    for callback in plan.callbacks:
        callback.on_period_end(period, model, schema, record)
    store.add(record, Finished(model, schema, seen, period.number, scores))
    return record


def period_seed(seed: int, number: int) -> int:
    """Returns a seed that depends only on the run's seed and the period's number."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _restarts(plan, latest, period):
    refresh = plan.refresh
    if not refresh.restart or refresh.every == "never":
        return False
    return refresh.every == "period" or _has_newer_source(plan, latest, period)


def _has_newer_source(plan, latest, period):
    if plan.source is None:
        return False
    # If the files of the source in use are damaged by now, the newest intact source can
    # be older than it.
    number, used = plan.source.number(period.end), latest["source"]
    return number is not None and (used is None or number > used)


def _model_to_train(plan, before, latest, new, restarts):
    """Returns the model to train, its schema, the seen values, and record entries.

    The entries are the period of the source model and the fate of the optimizer. `new`
    holds the periods that are trained on for the first time, newest last.
    """
    period = new[-1]
    source, number = _source_to_take(plan, before, latest, period, restarts)
    base = None
    if restarts and plan.target is not None:
        base = plan.target.load(period.end, before=True)
    seen = _seen(plan, before or base)
    first, *others = [each for each in (before, base, source) if each is not None]
    frames = (part for each in new for part in (each.read(), each.read_source()))
    frames = (frame for frame in frames if frame is not None)
    schema = grown_schema(first.schema, [each.schema for each in others], frames)
    for callback in plan.callbacks:
        schema = with_ids(schema, callback.ids(period, first.model))
    if restarts:
        model, optimizer = methods.start(
            plan.method,
            source and grown_model(source, schema),
            base and grown_model(base, schema),
            plan.training.compile,
        )
    else:
        model, optimizer = grown_model(before, schema), "kept"
        if source is not None:
            methods.refresh(plan.method, model, grown_model(source, schema))
    return model, schema, seen, {"source": number, "optimizer": optimizer}


def _source_to_take(plan, before, latest, period, restarts):
    """Returns the source model to take in, or `None`, and its period's number."""
    if plan.source is None:
        return None, None
    if not restarts:
        refresh, used = plan.refresh, latest["source"]
        if refresh.restart or refresh.every == "never":
            return None, used
        if not methods.frozen_suffixes(plan.method, before.model):
            return None, used
        if not _has_newer_source(plan, latest, period):
            return None, used
    source = plan.source.load(period.end)
    return source, source.number


def _seen(plan, finished):
    """Returns `{column: values}` that a model was trained on before this period."""
    seen = {} if finished is None else dict(finished.seen)
    missing = [column for column in plan.slices if column not in seen]
    for column in missing:
        if column in plan.known:
            seen |= with_seen({}, pd.DataFrame({column: plan.known[column]}), [column])
    unknown = [column for column in missing if column not in seen]
    if unknown and finished is not None and finished.number is not None:
        raise ValueError(
            explain(
                f"slices whose old values the target's run knows: {sorted(seen)}",
                f"also {unknown}, which are not slices of that run",
                "pass slices={column: values it was trained on}, or leave them out",
            )
        )
    return seen
