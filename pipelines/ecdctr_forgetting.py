"""Whether users are forgotten who have been absent from natural data for long."""

import numpy as np

from pipelines.ecdctr_parts import PARTS, differences, ends
from pipelines.harness.tables import heading, line, spread

# The column's name, by the group's.
GROUPS = {
    "recent": "recent users",
    "absent": "absent users",
    "absent_in_cpm": "of these: in CPM's weeks before",
    "absent_not_in_cpm": "of these: never in CPM's",
    "new": "new users",
}
NO_ROW = {"rows": 0, "gauc_rows": 0}
# Of fewer rows of users with both labels, with a seed, a GAUC says nothing.
LEAST_ROWS = 100


def forgetting(by_row, titles, intervals):
    """Returns tables by how long the user was absent, over time, and what TPM adds.

    Args:
        by_row: `{row: {seed: metrics}}`.
        titles: `{row: title}`.
        intervals: What `pipelines.ecdctr_parts.part_intervals` returns.
    """
    tables = [_by_absence(by_row, titles, metric) for metric in ("auc", "gauc")]
    return "\n\n".join([*tables, _gains(by_row, intervals)]).rstrip()


def _by_absence(by_row, titles, metric):
    seeds = list(next(iter(by_row.values())).values())
    months = len(seeds[0]["absent_by_month"])
    head = [f"{metric.upper()} of", *GROUPS.values()]
    head += [f"absent, month {month + 1}" for month in range(months)]
    count = "rows" if metric == "auc" else "gauc_rows"
    title = "rows" if metric == "auc" else "rows of users with both labels"
    lines = heading(head)
    rows = np.sum([[part[count] for part in _parts(each)] for each in seeds], axis=0)
    lines.append(line([f"{title}, all seeds", *(f"{n:,}" for n in rows)]))
    for name, seeds in by_row.items():
        values = [
            [_shown(part, metric) for part in _parts(each)] for each in seeds.values()
        ]
        cells = [spread(column) for column in np.transpose(values)]
        lines.append(line([titles[name], *cells]))
    return "\n".join(lines)


def _parts(metrics):
    # Results of old have not all groups.
    named = [metrics.get(group, NO_ROW) for group in GROUPS]
    return [*named, *metrics["absent_by_month"]]


def _shown(part, metric):
    value = part.get(metric)
    few = metric == "gauc" and part["gauc_rows"] < LEAST_ROWS
    return np.nan if few or value is None else value


def _gains(by_row, intervals):
    """What TPM adds to the AUC of each group, with the interval over test rows."""
    shown = {part: PARTS[part] for part in ("TPM", "TPM without CPM")}
    shown = {part: pair for part, pair in shown.items() if by_row.keys() >= set(pair)}
    if not shown:
        return ""
    head = ["AUC of", *GROUPS.values()]
    lines = heading(head)
    for part, (own, other) in shown.items():
        cells = []
        for group in GROUPS:
            gains = differences(by_row[own], by_row[other], group, "auc")
            interval = ends(intervals.get(group, {}).get(part))
            cells.append(spread(gains, "+.4f") + f" ({interval})" * bool(interval))
        lines.append(line([part, *cells]))
    return "\n".join(lines)
