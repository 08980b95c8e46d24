"""Tables of the E-CDCTR experiment, and which of its parts pay."""

import numpy as np

from pipelines.continual_report import line, spread
from pipelines.statistics import paired_tests

HEADINGS = {
    "levels": "Which level brings what",
    "batch_norm": "BatchNorm of the advertisement model",
    "snapshots": "How many snapshots",
    "aggregation": "How they are joined",
    "restart": "When the advertisement model starts again from CPM",
    "others": "Against other ways to use natural data",
    "forgetting": "Users who were absent for longer than a month and a week",
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
    "E-CDCTR, not CTNet": ("ecdctr", "ctnet"),
}


def report(records, tables, titles):
    """Returns the tables that have a finished row, and what pays.

    Args:
        records: The results of one configuration.
        tables: `{table: names of its rows}`.
        titles: `{row: title}`.

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
        parts.append(f"### What pays\n\n{what_pays(by_row)}\n\n{sizes}.")
    return "\n\n".join(parts)


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
    first = next(iter(next(iter(by_row.values())).values()))
    months = range(len(first["absent_by_month"]))
    head = [f"{metric.upper()} of", "recent users", "absent users", "new users"]
    head += [f"absent, month {month + 1}" for month in months]
    parts = [first[part] for part in ("recent", "absent", "new")]
    parts += first["absent_by_month"]
    count = "rows" if metric == "auc" else "gauc_rows"
    title = "rows" if metric == "auc" else "rows of users with both labels"
    lines = [line(head), "|" + "---|" * len(head)]
    lines.append(line([title, *(f"{part[count]:,}" for part in parts)]))
    for name, seeds in by_row.items():
        cells = [
            spread(_values(seeds, lambda m, part=part: m[part].get(metric)))
            for part in ("recent", "absent", "new")
        ]
        cells += [
            spread(_values(seeds, lambda m, i=i: m["absent_by_month"][i].get(metric)))
            for i in months
        ]
        lines.append(line([titles[name], *cells]))
    return "\n".join(lines)


def what_pays(by_row):
    """Returns the differences of the rows that differ in one part."""
    head = ["part", "AUC", "GAUC", "AUC of absent users", "p (AUC)", "verdict"]
    lines = [line(head), "|" + "---|" * len(head)]
    for part, (own, other) in PARTS.items():
        common = sorted(by_row.get(own, {}).keys() & by_row.get(other, {}).keys())
        if not common:
            continue
        pairs = [(by_row[own][seed], by_row[other][seed]) for seed in common]
        cells = [
            spread([_less(*pair, *path) for pair in pairs], "+.4f")
            for path in (("auc",), ("gauc",), ("absent", "auc"))
        ]
        # Few users have both labels: GAUC rests on a part of the rows.
        found = [_less(*pair, "auc") for pair in pairs]
        lines.append(line([part, *cells, _p(pairs), _verdict(found)]))
    return "\n".join(lines)


def _less(own, other, *path):
    for name in path:
        own, other = (each and each.get(name) for each in (own, other))
    return np.nan if None in (own, other) else own - other


def _p(pairs):
    values = [[each["auc"] for each in pair] for pair in pairs]
    if len(pairs) < 2 or any(None in pair for pair in values):
        return ""
    return f"{paired_tests(*np.transpose(values)).t_test:.3f}"


def _verdict(differences):
    values = np.array(differences, "float64")
    if np.isnan(values).any():
        return "undefined"
    if len(values) == 1:
        return "open: one seed"
    if (values > 0).all():
        return "pays"
    return "does not pay" if (values <= 0).all() else "open: seeds disagree"


def _values(seeds, get):
    found = [get(metrics) for metrics in seeds.values()]
    return [np.nan if value is None else value for value in found]
