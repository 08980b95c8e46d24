"""Tables of the E-CDCTR experiment, and which of its parts pay."""

import numpy as np
import pandas as pd

from pipelines.continual_report import line, spread
from pipelines.ecdctr_scores import of_absent_users
from pipelines.intervals import seeds_interval
from pipelines.statistics import paired_tests

HEADINGS = {
    "levels": "Which level brings what",
    "batch_norm": "BatchNorm of the advertisement model",
    "snapshots": "How many snapshots",
    "aggregation": "How they are joined",
    "restart": "When the advertisement model starts again from CPM",
    "others": "Against other ways to use natural data",
    "forgetting": "Users absent for a month: CPM was not trained on them",
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
# Of fewer rows of users with both labels a GAUC says nothing.
LEAST_ROWS = 300


def report(records, tables, titles, intervals=None, of_absent=None):
    """Returns the tables that have a finished row, and what pays.

    Args:
        records: The results of one configuration.
        tables: `{table: names of its rows}`.
        titles: `{row: title}`.
        intervals: What `part_intervals` returns; none by default.
        of_absent: Likewise, of absent users alone.

    Returns:
        Markdown; the sizes of the data stand under every table.
    """
    by_row = {}
    for record in records:
        by_row.setdefault(record["row"], {})[record["seed"]] = record["metrics"]
    if not by_row:
        return "No row is finished."
    sizes, parts = records[0]["sizes"], []
    for table, names in tables.items():
        chosen = {name: by_row[name] for name in names if name in by_row}
        if chosen:
            write = forgetting if table == "forgetting" else overall
            text = write(chosen, titles)
            parts.append(f"### {HEADINGS[table]}\n\n{text}\n\n{sizes}.")
    if any(own in by_row and other in by_row for own, other in PARTS.values()):
        text = what_pays(by_row, intervals or {}, of_absent or {})
        parts.append(f"### What pays\n\n{text}\n\n{sizes}.")
    return "\n\n".join(parts)


def part_intervals(records, score_file, absent_for=None):
    """Returns `{part: Interval}` of the AUC, of the parts whose scores are there.

    Args:
        records: The results of one configuration.
        score_file: From a seed and a row to the file of its scores.
        absent_for: Take users alone who were absent for more than so many days; a
            part is left out if one seed has a single class of them.
    """
    seeds = {}
    for record in records:
        seeds.setdefault(record["row"], set()).add(record["seed"])
    found = {}
    for part, pair in PARTS.items():
        common = sorted(set.intersection(*(seeds.get(row, set()) for row in pair)))
        files = [[score_file(seed, row) for seed in common] for row in pair]
        if common and all(path.exists() for paths in files for path in paths):
            rows = [
                [_labels_and_scores(path, absent_for) for path in paths]
                for paths in files
            ]
            if all(len(np.unique(labels)) == 2 for labels, _ in rows[0]):
                found[part] = seeds_interval(*rows)
    return found


def _labels_and_scores(path, absent_for):
    lines = pd.read_parquet(path)
    if absent_for is not None:
        lines = lines[of_absent_users(lines, absent_for)]
    return lines["label"].to_numpy(), lines["score"].to_numpy()


def overall(by_row, titles):
    """Returns a table of AUC and GAUC, all tested rows together."""
    head = ["", "AUC", "GAUC", "LogLoss", "seeds"]
    lines = [line(head), "|" + "---|" * len(head)]
    for name, seeds in by_row.items():
        cells = [
            spread(_values(seeds, lambda m, metric=metric: m[metric]))
            for metric in ("auc", "gauc", "log_loss")
        ]
        lines.append(line([titles[name], *cells, str(len(seeds))]))
    return "\n".join(lines)


def forgetting(by_row, titles):
    """Returns tables of AUC and GAUC by how long the user was absent, and over time."""
    return "\n\n".join(_forgetting(by_row, titles, m) for m in ("auc", "gauc"))


def _forgetting(by_row, titles, metric):
    seeds = list(next(iter(by_row.values())).values())
    months = len(seeds[0]["absent_by_month"])
    head = [f"{metric.upper()} of", "recent users", "absent users", "new users"]
    head += [f"absent, month {month + 1}" for month in range(months)]
    count = "rows" if metric == "auc" else "gauc_rows"
    title = "rows" if metric == "auc" else "rows of users with both labels"
    lines = [line(head), "|" + "---|" * len(head)]
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
    named = [metrics[part] for part in ("recent", "absent", "new")]
    return [*named, *metrics["absent_by_month"]]


def _shown(part, metric):
    value = part.get(metric)
    few = metric == "gauc" and part["gauc_rows"] < LEAST_ROWS
    return np.nan if few or value is None else value


def what_pays(by_row, intervals, of_absent):
    """Returns the differences of the rows that differ in one part.

    A part pays, or costs, if the AUC says so with every seed and the interval over
    test rows leaves out 0; without scores there is no interval, and no verdict.
    """
    head = ["part", "AUC", "95 % interval (test rows)", "p (seeds)", "GAUC"]
    head += ["AUC of absent users", "95 % interval", "verdict"]
    lines = [line(head), "|" + "---|" * len(head)]
    for part, (own, other) in PARTS.items():
        common = sorted(by_row.get(own, {}).keys() & by_row.get(other, {}).keys())
        if not common:
            continue
        pairs = [(by_row[own][seed], by_row[other][seed]) for seed in common]
        auc, gauc, absent = (
            spread([_less(*pair, *path) for pair in pairs], "+.4f")
            for path in (("auc",), ("gauc",), ("absent", "auc"))
        )
        interval = intervals.get(part)
        ends, of_them = map(_ends, (interval, of_absent.get(part)))
        verdict = _verdict([_less(*pair, "auc") for pair in pairs], interval)
        cells = [part, auc, ends, _p(pairs), gauc, absent, of_them, verdict]
        lines.append(line(cells))
    return "\n".join(lines)


def _ends(interval):
    return "" if interval is None else f"{interval.low:+.4f} to {interval.high:+.4f}"


def _less(own, other, *path):
    for name in path:
        own, other = (each and each.get(name) for each in (own, other))
    return np.nan if None in (own, other) else own - other


def _p(pairs):
    values = [[each["auc"] for each in pair] for pair in pairs]
    if len(pairs) < 2 or any(None in pair for pair in values):
        return ""
    return f"{paired_tests(*np.transpose(values)).t_test:.3f}"


def _verdict(differences, interval):
    values = np.array(differences, "float64")
    if np.isnan(values).any():
        return "undefined"
    if len(values) == 1:
        return "open: one seed"
    if interval is None:
        return "open: no scores"
    if (values > 0).all() and interval.low > 0:
        return "pays"
    return "costs" if (values < 0).all() and interval.high < 0 else "open"


def _values(seeds, get):
    found = [get(metrics) for metrics in seeds.values()]
    return [np.nan if value is None else value for value in found]
