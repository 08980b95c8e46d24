"""Measures a model on a period, also on rows with new or old users and items only."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from tf_ctr.evaluation import predict_by_label
from tf_ctr.evaluation.of_scores import label_metrics, labels_and_groups
from tf_ctr.features import Schema

METRICS = ("auc", "gauc", "log_loss")


def metric_names(tests: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the metrics to show of some tests.

    Args:
        tests: Results of `measure`.

    Returns:
        `METRICS`; with several labels, those that the tests have of each, e.g.
        `"buy_auc"`.
    """
    ends = tuple(f"_{name}" for name in METRICS)
    found = dict.fromkeys(n for test in tests for n in test if n.endswith(ends))
    return [*found] or [*METRICS]


def measure(
    model: keras.Model,
    frame: pd.DataFrame,
    schema: Schema,
    seen: Mapping[str, pd.Series] | None = None,
    slices: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns the metrics of a model on the rows of a period.

    Args:
        model: The model.
        frame: The rows `[N]`, at least one.
        schema: The schema of the model.
        seen: `{column: values that the model was trained on}`.
        slices: Columns to split the rows by: rows with a value in `seen` are old, the
            others are new.

    Returns:
        The metrics of `tf_ctr.evaluation.evaluate`, and those of the new and the
        old rows, e.g. `slices["user_id"]["new"]["auc"]`. An undefined metric is `None`
        and named in `undefined`. A part without rows has only `rows`, 0.
    """
    scores = predict_by_label(model, frame, schema)
    return measure_scores(scores, frame, schema, seen or {}, slices)


def measure_scores(
    scores: Mapping[str, np.ndarray],
    frame: pd.DataFrame,
    schema: Schema,
    seen: Mapping[str, pd.Series],
    slices: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns the metrics of `{label: scores [N]}` of rows; see `measure`."""
    kept = {name: read(frame) for name, (_, read) in labels_and_groups(schema).items()}

    def metrics(chosen):
        if not chosen.any():
            return {"rows": 0}
        values = label_metrics(schema, scores, kept, chosen)
        # JSON has no NaN.
        undefined = [name for name, value in values.items() if math.isnan(value)]
        known = {n: None if n in undefined else value for n, value in values.items()}
        return {**known, "undefined": undefined}

    parts = {}
    for column in slices:
        old = frame[column].isin(seen.get(column, ())).to_numpy()
        parts[column] = {"new": metrics(~old), "old": metrics(old)}
    return {**metrics(np.ones(len(frame), bool)), "slices": parts}


def with_seen(
    seen: Mapping[str, pd.Series], frame: pd.DataFrame, columns: Sequence[str]
) -> dict[str, pd.Series]:
    """Returns the seen values together with those of more rows, without repeats.

    Args:
        seen: `{column: values}` seen so far.
        frame: The further rows.
        columns: The columns to return.
    """
    joined = {}
    for column in columns:
        values = frame[column].drop_duplicates()
        known = seen.get(column)
        if known is None:
            joined[column] = values.reset_index(drop=True)
        else:
            new = values[~values.isin(known)]
            joined[column] = pd.concat([known, new], ignore_index=True)
    return joined
