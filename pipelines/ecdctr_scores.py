"""How the models of a row score the periods after them, all rows together."""

import math

import numpy as np
import pandas as pd

from pipelines.ecdctr_absence import ABSENT
from pipelines.ecdctr_data import FIRST_TESTED
from tf_ctr.continual.store import Store
from tf_ctr.evaluation import score_metrics
from tf_ctr.features.files import replacing

METRICS = ("auc", "gauc", "log_loss")


def scores(folder, data) -> pd.DataFrame:
    """Returns a line per tested ad, scored by the newest model trained before it.

    Args:
        folder: The folder of a run over `data.days`.
        data: The `LevelData`.

    Returns:
        `user`, `label`, `score`, `absent_days`, and `month`, counted from the start.
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
                    "month": (period.end - 1 - data.days[0].end) // data.month_days,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def metrics(lines, month_days) -> dict:
    """Returns the metrics of all lines, and of users by how long they were absent.

    Args:
        lines: What `scores` returns.
        month_days: A user who was absent for longer is in none of the rows that the
            newest CPM was last trained on.

    Returns:
        JSON-like: `auc`, `gauc`, `log_loss`, `rows`, and `gauc_rows`, those of users
        with both labels, of all; the same of the parts
        `absent`, `recent` and `new`; and `absent_by_month`, a list of them.
    """
    days, absent = lines[ABSENT], of_absent_users(lines, month_days)
    months = range(int(lines["month"].max()) + 1)
    return {
        **_of(lines),
        "absent": _of(lines[absent]),
        "recent": _of(lines[days <= month_days]),
        "new": _of(lines[np.isinf(days)]),
        "absent_by_month": [_of(lines[absent & (lines["month"] == m)]) for m in months],
    }


def of_absent_users(lines, month_days) -> pd.Series:
    """Whether a line is of a user who was absent for longer than a month; as `metrics`.

    A user who was never there is not.
    """
    return (lines[ABSENT] > month_days) & np.isfinite(lines[ABSENT])


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
