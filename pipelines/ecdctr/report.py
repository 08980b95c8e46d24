"""The tables of the E-CDCTR experiment, from its results only."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.ecdctr.verdict import (
    PARTS,
    Intervals,
    Seeds,
    differences,
    ends,
    what_pays,
)
from pipelines.harness.tables import mean_and_spread, table

HEADINGS = {
    "levels": "Which level brings what",
    "batch_norm": "BatchNorm of the advertisement model",
    "snapshots": "How many snapshots",
    "aggregation": "How snapshots are combined",
    "restart": "When the advertisement model restarts from CPM",
    "others": "Against other ways to use natural data",
    "forgetting": "Users that the last month of CPM lacks",
}
# The column's name, by the group's.
GROUPS = {
    "recent": "recent users",
    "absent": "absent users",
    "absent_in_cpm": "of these: in earlier weeks of CPM",
    "absent_not_in_cpm": "of these: never in CPM",
    "new": "new users",
}
NO_ROW = {"rows": 0, "gauc_rows": 0}
# With fewer rows of users with both labels, per seed, a GAUC says nothing.
LEAST_ROWS = 100


def sections(
    records: Sequence[Mapping[str, Any]],
    tables: Mapping[str, Sequence[str]],
    titles: Mapping[str, str],
    intervals: Intervals | None = None,
) -> list[tuple[str, str]]:
    """Returns the tables that have rows to compare, and what pays.

    Args:
        records: The results of one configuration.
        tables: `{table: names of its rows}`.
        titles: `{row: title}`.
        intervals: What `pipelines.ecdctr.verdict.part_intervals` returns.

    Returns:
        Pairs of a title and a Markdown text; the sizes of the data stand under every
        table.
    """
    by_row = {}
    for record in records:
        by_row.setdefault(record["row"], {})[record["seed"]] = record["metrics"]
    found = []
    for name, rows in tables.items():
        chosen = {row: by_row[row] for row in rows if row in by_row}
        if len(chosen) > 1:
            if name == "forgetting":
                text = forgetting(chosen, titles, intervals or {})
            else:
                text = overall(chosen, titles)
            found.append((HEADINGS[name], text))
    if any(own in by_row and other in by_row for own, other in PARTS.values()):
        found.append(("What pays", what_pays(by_row, intervals or {})))
    if by_row and not found:
        found.append(("Finished rows", overall(by_row, titles)))
    return [(title, f"{text}\n\n{records[0]['sizes']}.") for title, text in found]


def overall(by_row: Mapping[str, Seeds], titles: Mapping[str, str]) -> str:
    """Returns a table of the metrics over all tested rows."""
    rows = []
    for name, seeds in by_row.items():
        cells = []
        for metric in ("auc", "gauc", "log_loss"):
            values = (metrics[metric] for metrics in seeds.values())
            cells.append(mean_and_spread([np.nan if v is None else v for v in values]))
        rows.append([titles[name], *cells, str(len(seeds))])
    return table(["", "AUC", "GAUC", "LogLoss", "seeds"], rows)


def forgetting(
    by_row: Mapping[str, Seeds], titles: Mapping[str, str], intervals: Intervals
) -> str:
    """Returns tables by how long the user was absent, over time, and what TPM adds.

    Args:
        by_row: `{row: {seed: metrics}}`.
        titles: `{row: title}`.
        intervals: What `pipelines.ecdctr.verdict.part_intervals` returns.
    """
    tables = [_by_absence(by_row, titles, metric) for metric in ("auc", "gauc")]
    return "\n\n".join([*tables, _gains_of_tpm(by_row, intervals)]).rstrip()


def _by_absence(by_row, titles, metric):
    seeds = list(next(iter(by_row.values())).values())
    months = len(seeds[0]["absent_by_month"])
    head = [f"{metric.upper()} of", *GROUPS.values()]
    head += [f"absent, month {month + 1}" for month in range(months)]
    count = "rows" if metric == "auc" else "gauc_rows"
    title = "rows" if metric == "auc" else "rows of users with both labels"
    totals = np.sum([[part[count] for part in _parts(each)] for each in seeds], axis=0)
    rows = [[f"{title}, all seeds", *(f"{n:,}" for n in totals)]]
    for name, seeds in by_row.items():
        values = [
            [_shown(part, metric) for part in _parts(each)] for each in seeds.values()
        ]
        cells = [mean_and_spread(column) for column in np.transpose(values)]
        rows.append([titles[name], *cells])
    return table(head, rows)


def _parts(metrics):
    # Older results lack some groups.
    named = [metrics.get(group, NO_ROW) for group in GROUPS]
    return [*named, *metrics["absent_by_month"]]


def _shown(part, metric):
    value = part.get(metric)
    few = metric == "gauc" and part["gauc_rows"] < LEAST_ROWS
    return np.nan if few or value is None else value


def _gains_of_tpm(by_row, intervals):
    """Returns what TPM adds to the AUC of each group, with the interval."""
    shown = {part: PARTS[part] for part in ("TPM", "TPM without CPM")}
    shown = {part: pair for part, pair in shown.items() if by_row.keys() >= set(pair)}
    if not shown:
        return ""
    rows = []
    for part, (own, other) in shown.items():
        cells = []
        for group in GROUPS:
            gains = differences(by_row[own], by_row[other], group, "auc")
            interval = ends(intervals.get(group, {}).get(part))
            gain = mean_and_spread(gains, "+.4f")
            cells.append(gain + f" ({interval})" * bool(interval))
        rows.append([part, *cells])
    return table(["AUC of", *GROUPS.values()], rows)
