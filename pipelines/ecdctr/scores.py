"""How the models of a row score the periods after them, all rows together."""

import math

import numpy as np
import pandas as pd

from pipelines.ecdctr.data import ABSENT, FIRST_TESTED, IN_CPM
from tf_ctr.continual.store import Store
from tf_ctr.evaluation import score_metrics
from tf_ctr.files import replacing

METRICS = ("auc", "gauc", "log_loss")


def scores(folder, data) -> pd.DataFrame:
    """Returns a line per tested ad, scored by the newest model trained before it.

    Args:
        folder: The folder of a run over `data.days`.
        data: The `LevelData`.

    Returns:
        `user`, `label`, `score`, `absent_days`, `known_to_cpm`, and `month`, counted
        from the start.
    """
    store, parts, schema = Store(folder), [], data.schemas["plain"]
    periods = {period.number: period for period in data.days}
    for record in store.records():
        if not record["test"] or record["number"] < FIRST_TESTED:
            continue
        period = periods[record["number"]]
        frame = period.read()
        parts.append(
            pd.DataFrame(
                {
                    "user": frame[schema.group],
                    "label": schema.labels(frame),
                    "score": store.scores(record["number"]),
                    ABSENT: frame[ABSENT],
                    IN_CPM: frame[IN_CPM],
                    "month": (period.end - 1 - data.days[0].end) // data.month_days,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def metrics(lines, month_days) -> dict:
    """Returns the metrics of all lines, and of users by how long they were absent.

    Args:
        lines: What `scores` returns.
        month_days: As of `groups`.

    Returns:
        JSON-like: `auc`, `gauc`, `log_loss`, `rows`, and `gauc_rows`, those of users
        with both labels, of all; the same of every one of `groups`; and
        `absent_by_month`, a list of them.
    """
    found = groups(lines, month_days)
    months = range(int(lines["month"].max()) + 1)
    by_month = [found["absent"] & (lines["month"] == month) for month in months]
    return {
        **_of(lines),
        **{group: _of(lines[chosen]) for group, chosen in found.items()},
        "absent_by_month": [_of(lines[chosen]) for chosen in by_month],
    }


def groups(lines, month_days) -> dict:
    """Returns which lines are of users who have been absent for how long.

    Args:
        lines: What `scores` returns.
        month_days: A user who was absent for longer is in none of the rows that the
            newest CPM was last trained on.

    Returns:
        `{group: booleans}`: `recent`; `absent` for longer than a month, and of these
        `absent_in_cpm`, whom CPM was trained on before, and `absent_not_in_cpm`; and
        `new`, who were never in natural data.
    """
    days, in_cpm = lines[ABSENT], lines[IN_CPM]
    absent = (days > month_days) & np.isfinite(days)
    return {
        "recent": days <= month_days,
        "absent": absent,
        "absent_in_cpm": absent & in_cpm,
        "absent_not_in_cpm": absent & ~in_cpm,
        "new": np.isinf(days),
    }


def _of(lines):
    if not len(lines):
        return {"rows": 0, "gauc_rows": 0}
    groups = pd.factorize(lines["user"])[0]
    found = score_metrics(lines["label"], lines["score"], groups)
    shown = {name: found[name] for name in METRICS}
    kinds = lines.groupby("user")["label"].transform("nunique")
    return {"rows": len(lines), "gauc_rows": int((kinds > 1).sum())} | {
        name: None if math.isnan(value) else float(value)
        for name, value in shown.items()
    }


def keep(lines, path):
    """Writes what `scores` returns."""
    with replacing(path) as partial:
        lines.to_parquet(partial, index=False)
