"""The scores of a row's models on the ads of later periods, and their metrics."""

import math
import pathlib
from typing import Any

import pandas as pd

from pipelines.ecdctr.absence import ABSENT, IN_CPM, groups
from pipelines.ecdctr.data import FIRST_TESTED, LevelData
from tf_ctr.continual.store import Store
from tf_ctr.evaluation import score_metrics
from tf_ctr.files import replacing

METRICS = ("auc", "gauc", "log_loss")


def scores(folder: pathlib.Path, data: LevelData) -> pd.DataFrame:
    """Returns a line per tested ad, scored by the newest model trained before it.

    Args:
        folder: The folder of a run over `data.days`.
        data: The `LevelData`.

    Returns:
        A frame with `user`, `label`, `score`, `absent_days`, `known_to_cpm`, and
        `month`, counted from the start.
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


def metrics(lines: pd.DataFrame, month_days: int) -> dict[str, Any]:
    """Returns the metrics of all lines, and of users by how long they were absent.

    Args:
        lines: What `scores` returns.
        month_days: As in `pipelines.ecdctr.absence.groups`.

    Returns:
        JSON-like: `auc`, `gauc`, `log_loss`, `rows`, and `gauc_rows` (the rows of
        users with both labels) of all lines; the same of each of the `groups`; and
        `absent_by_month`, a list of the same for absent users.
    """
    found = groups(lines, month_days)
    months = range(int(lines["month"].max()) + 1)
    by_month = [found["absent"] & (lines["month"] == month) for month in months]
    return {
        **_of(lines),
        **{group: _of(lines[chosen]) for group, chosen in found.items()},
        "absent_by_month": [_of(lines[chosen]) for chosen in by_month],
    }


def _of(lines):
    if not len(lines):
        return {"rows": 0, "gauc_rows": 0}
    users = pd.factorize(lines["user"])[0]
    found = score_metrics(lines["label"], lines["score"], users)
    shown = {name: found[name] for name in METRICS}
    kinds = lines.groupby("user")["label"].transform("nunique")
    return {"rows": len(lines), "gauc_rows": int((kinds > 1).sum())} | {
        name: None if math.isnan(value) else float(value)
        for name, value in shown.items()
    }


def keep(lines: pd.DataFrame, path: pathlib.Path) -> None:
    """Writes what `scores` returns."""
    with replacing(path) as partial:
        lines.to_parquet(partial, index=False)
