"""The exact metrics of a model on a period, also for new users and items."""

import math

import pandas as pd

from tf_ctr.evaluation import predict, score_metrics

METRICS = ("auc", "gauc", "log_loss")


def measure(model, frame, schema, seen=None, slices=()):
    """Returns the metrics of a model on the rows of a period.

    Args:
        model: The model.
        frame: The rows, at least one.
        schema: The schema of the model.
        seen: `{column: values that were trained on}`.
        slices: Columns; the rows whose value is in `seen` are old, the others new.

    Returns:
        The metrics of `tf_ctr.evaluation.score_metrics`, and per slice those of both
        parts: `slices[column]["new"]`. What is undefined is `None` and named in
        `undefined`; a part without a row has `rows` 0 alone.
    """
    scores = predict(model, frame, schema)
    return measure_scores(scores, frame, schema, seen or {}, slices)


def measure_scores(scores, frame, schema, seen, slices=()):
    """Returns the metrics of the scores `[N]` of rows; see `measure`."""
    labels = schema.labels(frame)
    groups = None if schema.group is None else schema.groups(frame)

    def metrics(chosen):
        if not chosen.any():
            return {"rows": 0}
        own = None if groups is None else groups[chosen]
        return _named(score_metrics(labels[chosen], scores[chosen], own))

    everything = pd.Series(True, frame.index).to_numpy()
    parts = {}
    for column in slices:
        old = frame[column].isin(seen.get(column, ())).to_numpy()
        parts[column] = {"new": metrics(~old), "old": metrics(old)}
    return {**metrics(everything), "slices": parts}


def _named(metrics):
    undefined = [name for name, value in metrics.items() if math.isnan(value)]
    return {
        **{name: None if name in undefined else metrics[name] for name in metrics},
        "undefined": undefined,
    }


def with_seen(seen, frame, slices):
    """Returns `seen` with the values of more rows."""
    return {
        column: _joined(seen.get(column), frame[column].drop_duplicates())
        for column in slices
    }


def _joined(known, values):
    if known is None:
        return values.reset_index(drop=True)
    return pd.concat([known, values[~values.isin(known)]], ignore_index=True)
