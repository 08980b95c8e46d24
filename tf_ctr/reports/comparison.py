"""The page of a comparison of methods."""

import json
import pathlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tf_ctr import plots
from tf_ctr.errors import check_name, explain
from tf_ctr.evaluation.importance import T_975
from tf_ctr.evaluation.intervals import Z
from tf_ctr.plots.drawing import finish, line_style
from tf_ctr.reports.page import Page, cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COSTS = {"seconds": "seconds of training", "parameters": "parameters"}


def read(path: pathlib.Path) -> pd.DataFrame:
    """Returns the runs of a `results.jsonl` of `pipelines.compare`, newest last."""
    lines = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(
                explain(
                    "a JSON object per line",
                    f"{path}, line {number}: {error}",
                    "remove the line",
                )
            ) from error
        if "auc" in record and ("title" in record or "row" in record):
            name = record.get("title", record.get("row"))
            if record.get("backbone", "dcn") != "dcn":
                name = f"{name} ({record['backbone']})"
            lines.append({**record, "name": name, "seed": record.get("seed", 0)})
    return pd.DataFrame(lines)


def page(runs: pd.DataFrame, title: str) -> Page:
    """Returns the page of a comparison.

    Args:
        runs: A line per run; see `tf_ctr.report`.
        title: The title.

    Raises:
        ValueError: If there is no run, a column is missing, or an `auc` is no number.
    """
    if runs.empty:
        raise ValueError(
            explain("at least one run", "none", "run the comparison first")
        )
    for column in ("name", "seed", "auc"):
        check_name("column", column, list(runs.columns))
    # NaN compares with nothing, so that a method of it might rank first.
    unusable = runs[~np.isfinite(pd.to_numeric(runs["auc"], errors="coerce"))]
    if len(unusable):
        first = unusable.iloc[0]
        received = f"{first['auc']} of {first['name']}, seed {first['seed']}"
        fix = "leave out runs without a test AUC"
        raise ValueError(explain("a number as the auc of every run", received, fix))
    runs = runs.drop_duplicates(["name", "seed"], keep="last")
    table = ranking(runs)
    best = table["name"].iloc[0]
    made = Page(title, "A comparison", {"methods": len(table), "best by AUC": best})
    made.facts["most seeds"] = int(table["seeds"].max())
    made.add(
        "Ranking",
        "Test AUC: mean over the seeds, with its 95 % interval (Student's t). A "
        f"difference from {best} is over the seeds that both have; where its interval "
        "holds 0, other seeds may turn the order around.",
        table=_shown(table),
        pictures=[("AUC with intervals, the best at the top", _picture(table))],
    )
    for cost, label in COSTS.items():
        if cost in runs and runs[cost].notna().any():
            figure = _against(runs, cost, label)
            made.add(
                f"AUC against {label}",
                "Towards the top left: better for less.",
                pictures=[(f"AUC against {label}", figure)],
            )
    return made


def ranking(runs: pd.DataFrame) -> pd.DataFrame:
    """Returns a line per name, the best first, with intervals over the seeds.

    Example:

    >>> runs = pd.DataFrame(
    ...     {"name": ["a", "a", "b"], "seed": [0, 1, 0], "auc": [0.7, 0.8, 0.6]}
    ... )
    >>> ranking(runs)[["name", "auc", "seeds"]].round(2).values.tolist()
    [['a', 0.75, 2], ['b', 0.6, 1]]
    """
    by_name = {
        name: of_name.set_index("seed") for name, of_name in runs.groupby("name")
    }
    best = max(by_name, key=lambda name: by_name[name]["auc"].mean())
    lines = []
    for name, of_name in by_name.items():
        mean, half = _mean(of_name["auc"])
        below, margin = _mean((of_name["auc"] - by_name[best]["auc"]).dropna())
        line = {"name": name, "auc": mean, "half": half, "seeds": len(of_name)}
        line |= {"below": below, "margin": margin}
        for metric in ("gauc", "log_loss", *COSTS):
            if metric in of_name:
                line[metric] = of_name[metric].astype("float64").mean()
        lines.append(line)
    return pd.DataFrame(lines).sort_values("auc", ascending=False, ignore_index=True)


def _mean(values):
    """Returns the mean, and half the width of its interval; NaN for one value."""
    n = len(values)
    if n < 2:
        return (float(values.mean()) if n else float("nan")), float("nan")
    t = T_975[n - 2] if n - 2 < len(T_975) else Z
    return float(values.mean()), float(t * values.std(ddof=1) / np.sqrt(n))


def _shown(table):
    best = table["name"].iloc[0]
    shown = pd.DataFrame({"": range(1, len(table) + 1), "method": table["name"]})
    shown["AUC"] = [
        _with(a, h) for a, h in zip(table["auc"], table["half"], strict=True)
    ]
    shown[f"from {best}"] = [
        "" if name == best else _with(below, margin, "+.4f")
        for name, below, margin in zip(
            table["name"], table["below"], table["margin"], strict=True
        )
    ]
    names = {"gauc": "GAUC", "log_loss": "LogLoss", **COSTS}
    for metric, label in names.items():
        if metric in table:
            shown[label] = table[metric].map(cell)
    shown["seeds"] = table["seeds"]
    return shown


def _with(value, half, form=".4f"):
    if value != value:
        return ""
    return f"{value:{form}}" + ("" if half != half else f"\u00a0±\u00a0{half:.4f}")


def _picture(table: pd.DataFrame) -> "Figure":
    figure = plots.drawing(7, 1.4 + 0.28 * len(table))
    axes = figure.add_subplot()
    places = range(len(table))
    half = table["half"].fillna(0)
    axes.errorbar(*(table["auc"], places), xerr=half, fmt="o", color="black", capsize=3)
    axes.set_yticks(places, table["name"])
    axes.invert_yaxis()
    axes.set_xlabel("test AUC")
    finish(axes, "Mean over seeds, 95 % interval", grid="x", legend=False)
    return figure


def _against(runs: pd.DataFrame, cost: str, label: str) -> "Figure":
    figure = plots.drawing(7.5, 4)
    axes = figure.add_subplot()
    means = runs.groupby("name")[["auc", cost]].mean().sort_values("auc")
    for i, (name, line) in enumerate(means[::-1].iterrows()):
        style = {**line_style(i), "linestyle": "none", "markersize": 7}
        axes.plot(line[cost], line["auc"], label=str(name), **style)
    axes.set(xlabel=label, ylabel="test AUC", xscale="log")
    finish(axes, f"AUC against {label}", grid="both")
    return figure
