"""Tables and figures of continual transfer, from its results alone."""

import numpy as np

from pipelines.continual.verdict import SHAPES, gains, mean, slice_gains, verdicts
from pipelines.harness.figures import period_figure
from pipelines.harness.statistics import paired_tests
from pipelines.harness.tables import heading, line, spread

METRICS = {"auc": "AUC", "gauc": "GAUC", "log_loss": "LogLoss"}

# More than these lines cannot be told apart.
DRAWN = ("base", "source", "ft_all", "ctnet_once", "ctnet")

PARTS = [
    (f"{part.capitalize()} {name}", position, part)
    for position, name in enumerate(("users", "items"))
    for part in ("new", "old")
]


def report(records, tables, titles):
    """Returns the tables that have a finished row, and the verdict.

    Args:
        records: The results of one configuration.
        tables: `{number of the table: names of its rows}`.
        titles: `{row: title}`.

    Returns:
        Markdown.
    """
    by_row = grouped(records)
    writers = {"2": means, "3": by_period, "4": means, "5": by_slice}
    headings = {
        "2": "all methods, mean over the tested periods",
        "3": "continual transfer against transfer once, period by period",
        "4": "fine-tuning all parameters on growing amounts of target data",
        "5": "gains of CTNet over Base for new and old users and items",
    }
    parts = []
    for table, names in tables.items():
        chosen = {name: by_row[name] for name in names if name in by_row}
        if chosen:
            text = writers[table](chosen, titles)
            parts.append(f"### Table {table}: {headings[table]}\n\n{text}")
    if not parts:
        return "No row is finished."
    return "\n\n".join([*parts, f"### The four shapes\n\n{shapes(by_row)}"])


def grouped(records):
    """Returns `{row: {seed: periods}}`."""
    by_row = {}
    for record in records:
        by_row.setdefault(record["row"], {})[record["seed"]] = record["periods"]
    return by_row


def means(by_row, titles):
    """Returns a table of means over periods and seeds, with gains over Base."""
    head = [
        "",
        *METRICS.values(),
        "seeds",
        "AUC over Base",
        "GAUC over Base",
        "p (AUC)",
    ]
    lines = heading(head)
    for name, seeds in by_row.items():
        cells = [spread([mean(p, m) for p in seeds.values()]) for m in METRICS]
        lines.append(
            line([titles[name], *cells, str(len(seeds)), *_compared(by_row, name)])
        )
    return "\n".join(lines)


def _compared(by_row, name):
    if name == "base" or "base" not in by_row:
        return ["", "", ""]
    common = sorted(by_row[name].keys() & by_row["base"].keys())
    cells, p = [], float("nan")
    for metric in ("auc", "gauc"):
        own, base = (
            [mean(by_row[row][seed], metric) for seed in common]
            for row in (name, "base")
        )
        cells.append(spread(np.subtract(own, base), "+.4f"))
        if metric == "auc" and len(common) > 1:
            p = paired_tests(own, base).t_test
    return [*cells, "" if np.isnan(p) else f"{p:.3f}"]


def by_period(by_row, titles):
    """Returns a table with a column per tested period: AUC and GAUC gains."""
    numbers = sorted(
        {p["number"] for seeds in by_row.values() for ps in seeds.values() for p in ps}
    )
    head = ["", "metric", *map(str, numbers)]
    lines = heading(head)
    for name in by_row:
        for metric in ("auc", "gauc"):
            of_base = name == "base"
            values = _by_number(by_row, name, metric, of_base)
            text = METRICS[metric] if of_base else f"{METRICS[metric]} over Base"
            form = ".4f" if of_base else "+.4f"
            cells = [spread(values.get(number, []), form) for number in numbers]
            lines.append(line([titles[name], text, *cells]))
    return "\n".join(lines)


def _by_number(by_row, name, metric, absolute):
    """Returns `{period: values of the seeds}`, or of gains over Base."""
    found = {}
    for seed, periods in by_row[name].items():
        base = by_row.get("base", {}).get(seed, [])
        known = {p["number"]: p.get(metric) for p in base}
        for period in periods:
            number, value = period["number"], period.get(metric)
            reference = 0.0 if absolute else known.get(number)
            if value is not None and reference is not None:
                found.setdefault(number, []).append(value - reference)
    return found


def by_slice(by_row, titles):
    """Returns the gains over Base on new and old users and items."""
    head = ["", "rows", "AUC over Base", "GAUC over Base"]
    lines = heading(head)
    for title, position, part in PARTS:
        cells = [
            spread(
                list(slice_gains(by_row, "ctnet", position, part, metric).values()),
                "+.4f",
            )
            for metric in ("auc", "gauc")
        ]
        rows = _slice_rows(by_row, position, part)
        lines.append(line([title, f"{rows:,}", *cells]))
    return "\n".join(lines)


def _slice_rows(by_row, position, part):
    """The rows of a part, over the periods of one seed."""
    periods = next(iter(next(iter(by_row.values())).values()))
    parts = [list(period["slices"].values())[position] for period in periods]
    return sum(each[part]["rows"] for each in parts)


def shapes(by_row):
    """Returns which of the paper's shapes hold, by AUC and by GAUC."""
    head = ["shape", "AUC difference", "", "GAUC difference", ""]
    lines = heading(head)
    found = {metric: verdicts(by_row, metric) for metric in ("auc", "gauc")}
    for shape, title in SHAPES.items():
        cells = [title]
        for metric in found:
            values, verdict = found[metric].get(shape, ([], "not run"))
            cells += [spread(values, "+.4f"), verdict]
        lines.append(line(cells))
    return "\n".join(lines)


def figures(records, titles, folder):
    """Draws AUC and gain by period, of a few rows, and returns the paths."""
    by_row, written = grouped(records), []
    by_row = {name: by_row[name] for name in DRAWN if name in by_row} or by_row
    absolute = {
        titles[name]: _by_number(by_row, name, "auc", absolute=True) for name in by_row
    }
    relative = {
        titles[name]: _by_number(by_row, name, "auc", absolute=False)
        for name in by_row
        if name != "base" and gains(by_row, name, "auc")
    }
    drawings = {"auc": (absolute, "AUC"), "gain": (relative, "AUC over Base")}
    for name, (values, label) in drawings.items():
        if values:
            path = folder / f"{name}_by_period.png"
            period_figure(values, label, path)
            written.append(path)
    return written
