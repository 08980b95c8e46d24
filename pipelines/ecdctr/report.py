"""Tables of the E-CDCTR experiment, and which of its parts pay."""

import functools

import numpy as np
import pandas as pd

from pipelines.ecdctr.scores import groups
from pipelines.harness.statistics import paired_tests, seeds_interval
from pipelines.harness.tables import heading, line, spread

HEADINGS = {
    "levels": "Which level brings what",
    "batch_norm": "BatchNorm of the advertisement model",
    "snapshots": "How many snapshots",
    "aggregation": "How they are joined",
    "restart": "When the advertisement model starts again from CPM",
    "others": "Against other ways to use natural data",
    "forgetting": "Users whom the last month of CPM has not",
}

# What pays if the first row is better than the second.
PARTS = {
    "all of it": ("ecdctr", "ad_only"),
    "CPM": ("ecdctr", "tpm_only"),
    "TPM": ("ecdctr", "cpm_only"),
    "TPM without CPM": ("tpm_only", "ad_only"),
    "BatchNorm anew, not kept": ("ecdctr", "bn_kept"),
    "gamma and beta anew": ("ecdctr", "bn_statistics"),
    "3 snapshots, not 1": ("ecdctr", "snapshots_1"),
    "self-attention, not mean": ("ecdctr", "mean"),
    "starting again with a new CPM": ("ecdctr", "never"),
    "a month of CPM, not a week": ("ecdctr", "cpm_once"),
    "BatchNorm": ("ecdctr", "no_batch_norm"),
    "E-CDCTR, not CTNet": ("ecdctr", "ctnet"),
}

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


def report(records, tables, titles, intervals=None):
    """Returns the tables that have rows to compare, and what pays.

    Args:
        records: The results of one configuration.
        tables: `{table: names of its rows}`.
        titles: `{row: title}`.
        intervals: What `pipelines.ecdctr.report.part_intervals` returns; none by
            default.

    Returns:
        Markdown; the sizes of the data stand under every table.
    """
    by_row, intervals = {}, intervals or {}
    for record in records:
        by_row.setdefault(record["row"], {})[record["seed"]] = record["metrics"]
    if not by_row:
        return "No row is finished."
    sizes, parts = records[0]["sizes"], []
    by_absence = functools.partial(forgetting, intervals=intervals)
    for table, names in tables.items():
        chosen = {name: by_row[name] for name in names if name in by_row}
        if len(chosen) > 1:
            write = by_absence if table == "forgetting" else overall
            text = write(chosen, titles)
            parts.append(f"### {HEADINGS[table]}\n\n{text}\n\n{sizes}.")
    if any(own in by_row and other in by_row for own, other in PARTS.values()):
        text = what_pays(by_row, intervals)
        parts.append(f"### What pays\n\n{text}\n\n{sizes}.")
    return "\n\n".join(parts) or f"{overall(by_row, titles)}\n\n{sizes}."


def overall(by_row, titles):
    """Returns a table of AUC and GAUC, all tested rows together."""
    head = ["", "AUC", "GAUC", "LogLoss", "seeds"]
    lines = heading(head)
    for name, seeds in by_row.items():
        cells = [
            spread(_values(seeds, lambda m, metric=metric: m[metric]))
            for metric in ("auc", "gauc", "log_loss")
        ]
        lines.append(line([titles[name], *cells, str(len(seeds))]))
    return "\n".join(lines)


def _values(seeds, get):
    found = [get(metrics) for metrics in seeds.values()]
    return [np.nan if value is None else value for value in found]


def part_intervals(records, score_file, month_days):
    """Returns the intervals of the AUC of the parts whose scores are there.

    Args:
        records: The results of one configuration.
        score_file: From a seed and a row to the file of its scores.
        month_days: As of `pipelines.ecdctr.scores.groups`.

    Returns:
        `{group: {part: Interval}}`, of `"all"` lines and of those of every group; a
        part is left out of a group that has a single class with one of the seeds.
    """
    seeds, found = {}, {}
    read = functools.cache(functools.partial(_by_group, month_days=month_days))
    for record in records:
        seeds.setdefault(record["row"], set()).add(record["seed"])
    for part, pair in PARTS.items():
        common = sorted(set.intersection(*(seeds.get(row, set()) for row in pair)))
        files = [[score_file(seed, row) for seed in common] for row in pair]
        if common and all(path.exists() for paths in files for path in paths):
            rows = [[read(path) for path in paths] for paths in files]
            for group in rows[0][0]:
                own, other = ([seed[group] for seed in row] for row in rows)
                if all(len(np.unique(labels)) == 2 for labels, _ in own):
                    found.setdefault(group, {})[part] = seeds_interval(own, other)
    return found


def _by_group(path, month_days):
    lines = pd.read_parquet(path)
    labels, scores = lines["label"].to_numpy(), lines["score"].to_numpy()
    chosen = {"all": slice(None), **groups(lines, month_days)}
    return {group: (labels[at], scores[at]) for group, at in chosen.items()}


def what_pays(by_row, intervals):
    """Returns the differences of the rows that differ in one part.

    A part pays, or costs, if the AUC says so with every seed and the interval over
    test rows leaves out 0; without scores there is no interval, and no verdict.

    Args:
        by_row: `{row: {seed: metrics}}`.
        intervals: What `part_intervals` returns.
    """
    own_of, of_absent = (intervals.get(group, {}) for group in ("all", "absent"))
    head = ["part", "AUC", "95 % interval (test rows)", "p (seeds)", "GAUC"]
    head += ["AUC of absent users", "95 % interval", "verdict"]
    lines = heading(head)
    for part, pair in PARTS.items():
        own, other = (by_row.get(row, {}) for row in pair)
        if not own.keys() & other.keys():
            continue
        gains = differences(own, other, "auc")
        auc, gauc, absent = (
            spread(each, "+.4f")
            for each in (
                gains,
                differences(own, other, "gauc"),
                differences(own, other, "absent", "auc"),
            )
        )
        interval = own_of.get(part)
        of_them = ends(of_absent.get(part))
        verdict = _verdict(gains, interval)
        cells = [part, auc, ends(interval), _p(own, other), gauc, absent, of_them]
        lines.append(line([*cells, verdict]))
    return "\n".join(lines)


def ends(interval):
    """Returns an interval in words; nothing if there is none."""
    return "" if interval is None else f"{interval.low:+.4f} to {interval.high:+.4f}"


def differences(own, other, *path) -> list:
    """Returns what one row has more than another of a metric, with every common seed.

    Args:
        own: `{seed: metrics}` of the row.
        other: Likewise of the other one.
        *path: Where the metric is in them; NaN if one has it not.
    """
    common = sorted(own.keys() & other.keys())
    return [_less(own[seed], other[seed], *path) for seed in common]


def _less(own, other, *path):
    for name in path:
        own, other = (each and each.get(name) for each in (own, other))
    return np.nan if None in (own, other) else own - other


def _p(own, other):
    common = sorted(own.keys() & other.keys())
    values = [[row[seed]["auc"] for seed in common] for row in (own, other)]
    if len(common) < 2 or any(None in row for row in values):
        return ""
    return f"{paired_tests(*values).t_test:.3f}"


def _verdict(gains, interval):
    values = np.array(gains, "float64")
    if np.isnan(values).any():
        return "undefined"
    if len(values) == 1:
        return "open: one seed"
    if interval is None:
        return "open: no scores"
    if (values > 0).all() and interval.low > 0:
        return "pays"
    return "costs" if (values < 0).all() and interval.high < 0 else "open"


def forgetting(by_row, titles, intervals):
    """Returns tables by how long the user was absent, over time, and what TPM adds.

    Args:
        by_row: `{row: {seed: metrics}}`.
        titles: `{row: title}`.
        intervals: What `pipelines.ecdctr.report.part_intervals` returns.
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
