"""One period of a run."""

import dataclasses
import time

import keras
import numpy as np

from tf_ctr.continual import methods
from tf_ctr.continual.measuring import measure, measure_scores, with_seen
from tf_ctr.continual.methods import grown_model, grown_schema, with_ids
from tf_ctr.continual.store import Finished
from tf_ctr.errors import explain
from tf_ctr.evaluation import predict


def step(plan, store, period, periods):
    """Does all that one period asks for, and keeps it in one step.

    Args:
        plan: The `Plan`.
        store: The `Store` of the run.
        period: The period.
        periods: All periods given.

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
        store.add({**record, "skipped": "no row"})
        return record | {"skipped": "no row"}
    period = dataclasses.replace(period, data=frame)  # Read once.
    seed = period_seed(plan.seed, period.number)
    keras.utils.set_random_seed(seed)
    latest = store.latest()
    before = scores = None
    if latest is not None:
        _check_whole(store, latest)
        before = store.load(latest)
        scores = predict(before.model, frame, before.schema)
        metrics = measure_scores(scores, frame, before.schema, before.seen, plan.slices)
        record["test"] = {"trained_until": before.number, **metrics}
    began = time.perf_counter()
    restarts = _restarts(plan, before, latest, period)
    window = [period]
    if restarts or plan.window_when == "always":
        window = choose_window(plan, store, period, periods)
    # Of its first window no row was ever trained on; later ones have old rows again.
    new = [period] if before is not None else window
    model, schema, seen, used = _prepare(plan, before, latest, new, restarts)
    if plan.prepare is not None:
        used["prepared"] = plan.prepare(model, schema, period)
    rows, loss = plan.training.fit(
        model, schema, window, seed, verbose=int(plan.verbose > 1)
    )
    for each in new:
        seen = with_seen(seen, each.read(), plan.slices)
    finished = Finished(model, schema, seen, period.number, scores)
    record |= {"trained": True, "rows_trained": rows, "loss": loss, **used}
    record["seconds"] = time.perf_counter() - began
    if plan.matrix:
        record["matrix"] = _matrix(finished, periods)
    if plan.publish is not None:
        record["published"] = plan.publish(model, schema, period)
    if plan.export is not None:
        record["exported"] = str(plan.export(model, schema))
    store.add(record, finished)
    return record


def period_seed(seed, number):
    """Returns a seed that depends on the seed of the run and the period alone."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def choose_window(plan, store, period, periods):
    """Returns the periods to train on, the newest last; arguments as of `step`."""
    first = min([*store.numbers(), period.number])
    if plan.first is not None:
        first = min(first, periods[0].number)
    if plan.window is not None:
        first = max(first, period.number - plan.window + 1)
    chosen = [each for each in periods if first <= each.number <= period.number]
    if chosen[0].number > first:
        raise ValueError(
            explain(
                f"the periods {first} to {period.number}, to train on together",
                f"none before {chosen[0].number}",
                "pass the finished periods of the window, too",
            )
        )
    return [*chosen[:-1], period]


def _restarts(plan, before, latest, period):
    """Whether the model starts anew, and does not go on from the period before."""
    if before is None or plan.refresh == "restart":
        return True
    if plan.refresh != "arrival" or plan.source is None:
        return False
    return _is_newer(plan.source.number(period.end), latest["source"])


def _is_newer(number, used):
    """Whether a source model is newer than what a run has of it.

    If the one that was used is damaged since, or all are, there is no newer one.
    """
    return number is not None and (used is None or number > used)


def _check_whole(store, record):
    """Raises unless the model that a run would go on with is as it was written."""
    if not store.is_whole(record):
        raise ValueError(
            explain(
                f"the model of period {record['number']} as it was written, to go on",
                f"damaged files in {store.directory}",
                "move the folder of that period away: the same call trains it again",
            )
        )


def _prepare(plan, before, latest, new, restarts):
    """Returns the model to train, its schema, what it has seen, and what was used.

    `new` are the periods whose rows are trained on for the first time, newest last.
    """
    period = new[-1]
    source, number = _newest_source(plan, before, latest, period, restarts)
    base = None
    if restarts and plan.target is not None:
        base = plan.target.load(period.end, before=True)
    seen = _seen(plan, before or base)
    first, *others = [each for each in (before, base, source) if each is not None]
    frames = (part for each in new for part in (each.read(), each.read_source()))
    frames = (frame for frame in frames if frame is not None)
    schema = grown_schema(first.schema, [each.schema for each in others], frames)
    if plan.ids is not None:
        schema = with_ids(schema, plan.ids(period))
    if restarts:
        model, optimizer = methods.start(
            plan.method,
            source and grown_model(source, schema),
            base and grown_model(base, schema),
            plan.arguments,
            plan.training.compile,
        )
    else:
        model, optimizer = grown_model(before, schema), "goes on"
        if source is not None:
            methods.refresh(plan.method, model, grown_model(source, schema))
    return model, schema, seen, {"source": number, "optimizer": optimizer}


def _newest_source(plan, before, latest, period, restarts):
    """The source model to take in, `None` if there is no newer, and its period."""
    if plan.source is None:
        return None, None
    if not restarts:
        used = latest["source"]
        if plan.refresh in ("once", "arrival") or not methods.frozen_suffixes(
            plan.method, before.model
        ):
            return None, used
        if not _is_newer(plan.source.number(period.end), used):
            return None, used
    source = plan.source.load(period.end)
    return source, source.number


def _seen(plan, finished):
    seen = {} if finished is None else finished.seen
    missing = [column for column in plan.slices if column not in seen]
    if plan.known is not None:
        return seen | with_seen({}, plan.known, missing)
    if missing and finished is not None and finished.number is not None:
        raise ValueError(
            explain(
                f"slices of {sorted(seen)}, whose old values the target's run knows",
                f"also {missing}, of which it kept none",
                "pass known=, the rows it was trained on, or leave these slices out",
            )
        )
    return seen


def _matrix(finished, periods):
    """Metrics on every other period; the next one is tested when its turn comes."""
    metrics = {}
    for period in periods:
        frame = period.read()
        if len(frame) and period.number != finished.number + 1:
            metrics[str(period.number)] = measure(
                finished.model, frame, finished.schema, finished.seen
            )
    return metrics
