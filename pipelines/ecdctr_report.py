"""Tables of the E-CDCTR experiment, and which of its parts pay."""

import functools

import numpy as np

from pipelines.ecdctr_forgetting import forgetting
from pipelines.ecdctr_parts import PARTS, what_pays
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


def report(records, tables, titles, intervals=None):
    """Returns the tables that have rows to compare, and what pays.

    Args:
        records: The results of one configuration.
        tables: `{table: names of its rows}`.
        titles: `{row: title}`.
        intervals: What `pipelines.ecdctr_parts.part_intervals` returns; none by
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
