"""The tables and figures of continual transfer, from its results only."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.continual.verdict import (
    SHAPES,
    ByRow,
    gains,
    mean,
    slice_gains,
    verdicts,
)
from pipelines.harness.figures import period_figure
from pipelines.harness.statistics import paired_tests
from pipelines.harness.tables import mean_and_spread, table

METRICS = {"auc": "AUC", "gauc": "GAUC", "log_loss": "LogLoss"}

# A figure with more lines is unreadable.
DRAWN = ("base", "source", "ft_all", "ctnet_once", "ctnet")

PARTS = [
    (f"{part.capitalize()} {name}", position, part)
    for position, name in enumerate(("users", "items"))
    for part in ("new", "old")
]


def sections(
    records: Sequence[dict[str, Any]],
    tables: Mapping[str, Sequence[str]],
    titles: Mapping[str, str],
) -> list[tuple[str, str]]:
    """Returns the tables that have a finished row, and the verdict.

    Args:
        records: The results of one configuration.
        tables: `{number of the table: names of its rows}`.
        titles: `{row: title}`.

    Returns:
        Pairs of a title and a Markdown text.
    """
    by_row = grouped(records)
    writers = {"2": means, "3": by_period, "4": means, "5": by_slice}
    headings = {
        "2": "all methods, mean over the tested periods",
        "3": "continual transfer against transfer once, period by period",
        "4": "fine-tuning all parameters on growing amounts of target data",
        "5": "gains of CTNet over Base for new and old users and items",
    }
    found = []
    for number, names in tables.items():
        chosen = {name: by_row[name] for name in names if name in by_row}
        if chosen:
            title = f"Table {number}: {headings[number]}"
            found.append((title, writers[number](chosen, titles)))
    return [*found, ("The four shapes", shapes(by_row))] if found else []


def grouped(records: Sequence[dict[str, Any]]) -> ByRow:
    """Returns `{row: {seed: periods}}`."""
    by_row = {}
    for record in records:
        by_row.setdefault(record["row"], {})[record["seed"]] = record["periods"]
    return by_row


def means(by_row: ByRow, titles: Mapping[str, str]) -> str:
    """Returns a table of means over periods and seeds, with gains over Base."""
    head = [
        "",
        *METRICS.values(),
        "seeds",
        "AUC over Base",
        "GAUC over Base",
        "p (AUC)",
    ]
    rows = []
    for name, seeds in by_row.items():
        cells = [mean_and_spread([mean(p, m) for p in seeds.values()]) for m in METRICS]
        rows.append([titles[name], *cells, str(len(seeds)), *_compared(by_row, name)])
    return table(head, rows)


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
        cells.append(mean_and_spread(np.subtract(own, base), "+.4f"))
        if metric == "auc" and len(common) > 1:
            p = paired_tests(own, base).t_test
    return [*cells, "" if np.isnan(p) else f"{p:.3f}"]


def by_period(by_row: ByRow, titles: Mapping[str, str]) -> str:
    """Returns a table with a column per tested period: AUC and GAUC gains."""
    numbers = sorted(
        {p["number"] for seeds in by_row.values() for ps in seeds.values() for p in ps}
    )
    rows = []
    for name in by_row:
        for metric in ("auc", "gauc"):
            of_base = name == "base"
            values = _by_number(by_row, name, metric, of_base)
            text = METRICS[metric] if of_base else f"{METRICS[metric]} over Base"
            form = ".4f" if of_base else "+.4f"
            cells = [mean_and_spread(values.get(n, []), form) for n in numbers]
            rows.append([titles[name], text, *cells])
    return table(["", "metric", *map(str, numbers)], rows)


def _by_number(by_row, name, metric, absolute):
    """Returns `{period: values of the seeds}`, absolute or as gains over Base."""
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


def by_slice(by_row: ByRow, titles: Mapping[str, str]) -> str:
    """Returns the gains over Base on new and old users and items."""
    # The sizes are those of the first row with its first seed.
    periods = next(iter(next(iter(by_row.values())).values()))
    rows = []
    for title, position, part in PARTS:
        slices = [list(period["slices"].values())[position] for period in periods]
        count = sum(each[part]["rows"] for each in slices)
        found = (
            list(slice_gains(by_row, "ctnet", position, part, metric).values())
            for metric in ("auc", "gauc")
        )
        cells = (mean_and_spread(values, "+.4f") for values in found)
        rows.append([title, f"{count:,}", *cells])
    return table(["", "rows", "AUC over Base", "GAUC over Base"], rows)


def shapes(by_row: ByRow) -> str:
    """Returns which of the paper's shapes hold, by AUC and by GAUC."""
    found = {metric: verdicts(by_row, metric) for metric in ("auc", "gauc")}
    rows = []
    for shape, title in SHAPES.items():
        cells = [title]
        for metric in found:
            values, verdict = found[metric].get(shape, ([], "not run"))
            cells += [mean_and_spread(values, "+.4f"), verdict]
        rows.append(cells)
    return table(["shape", "AUC difference", "", "GAUC difference", ""], rows)


def figures(
    records: Sequence[dict[str, Any]], titles: Mapping[str, str], folder: pathlib.Path
) -> list[pathlib.Path]:
    """Draws AUC and gain by period for a few rows, and returns the paths."""
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
