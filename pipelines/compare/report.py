"""The tables of a comparison, from its results only."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipelines.compare.rows import BASELINE, METHODS, PRETRAINED, RIVAL, TARGET_ONLY
from pipelines.harness.statistics import paired_tests
from pipelines.harness.tables import mean_and_spread, table

GROUPS = {"target": "Target-only", "source": "Source-based", "all": "All-based"}
METHOD_ORDER = (TARGET_ONLY, PRETRAINED, *METHODS)
TESTS = ("95 % interval (test rows)", "p (t-test)", "p (Wilcoxon)")
HEADER = (
    "",
    "AUC",
    "LogLoss",
    "GAUC",
    "seeds",
    "AUC over Fine-Tune",
    *TESTS,
    "parameters",
    "seconds",
    "chosen",
)


def current_runs(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Returns the runs that belong to the last choice of their row.

    A row that was tuned again, or whose source was, also has older runs; they stay in
    the file but are not in the tables.

    Args:
        records: The records of `pipelines.compare.comparison`.

    Returns:
        A frame of runs, in the order of the paper's table and of the seeds.
    """
    choices, runs = {}, {}
    for record in records:
        row = (record["backbone"], record["row"])
        if record["kind"] == "choice":
            chosen = record["tried"][record["best"]]["chosen"]
            choices[row] = (record["start"], chosen)
    for record in records:
        row = (record["backbone"], record["row"])
        if record["kind"] == "run":
            if choices.get(row) == (record["start"], record["chosen"]):
                runs[*row, record["seed"]] = record
    ranked = sorted(runs, key=lambda key: (_rank(key[1]), key[2]))
    return pd.DataFrame([runs[key] for key in ranked])


def _rank(name):
    """Returns a row's place in the paper's table; AutoFT's ablations follow AutoFT."""
    group, method, *components = name.split("-")
    return list(GROUPS).index(group), METHOD_ORDER.index(method), components


def sections(records: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Returns a table per backbone, and one over backbones if there are several.

    Args:
        records: The records of `pipelines.compare.comparison`.

    Returns:
        Pairs of a title and a Markdown text.
    """
    runs = current_runs(records)
    if runs.empty:
        return []
    found = []
    for backbone, of_backbone in runs.groupby("backbone", sort=False):
        tables = [_table(of_backbone, records), *_against_rival(of_backbone, records)]
        found.append((backbone, "\n\n".join(tables)))
    if runs["backbone"].nunique() > 1:
        found.append(("AUC / LogLoss by backbone", _by_backbone(runs)))
    return found


def _table(runs, records):
    rows = []
    for group, of_group in runs.groupby("group", sort=False):
        rows.append([f"**{GROUPS[group]}**", *[""] * (len(HEADER) - 1)])
        baseline = of_group[of_group["row"] == f"{group}-{BASELINE}"]
        for name, of_row in of_group.groupby("row", sort=False):
            compared = [""] * 4
            if len(baseline) and name != f"{group}-{BASELINE}":
                compared = _compared(of_row, baseline, records)
            rows.append(_cells(of_row, compared))
    return table(HEADER, rows)


def _cells(runs, compared):
    first = runs.iloc[0]
    shown = {k: v for k, v in first["chosen"].items() if v or v is False}
    return [
        first["title"],
        *(mean_and_spread(runs[name]) for name in ("auc", "log_loss", "gauc")),
        str(len(runs)),
        *compared,
        f"{first['parameters']:,}",
        mean_and_spread(runs["seconds"], ".0f"),
        ", ".join(f"{name} {value}" for name, value in shown.items()),
    ]


def _against_rival(runs, records):
    """Returns a list of one table, AutoFT against SpotTune; empty without the two."""
    rivals = runs[runs["row"] == runs["group"] + f"-{RIVAL}"]
    routed = runs[runs["row"].str.contains("-autoft")]
    routed = routed[routed["group"].isin(rivals["group"])]
    if routed.empty:
        return []
    rows = [
        [title, *_compared(of_row, rivals[rivals["group"] == group], records)]
        for (group, title), of_row in routed.groupby(["group", "title"], sort=False)
    ]
    return [table(("", "AUC over SpotTune", *TESTS), rows)]


def _compared(runs, baseline, records):
    """Returns difference, interval and p-values over the seeds that both have."""
    pair = runs.merge(baseline, on="seed", suffixes=("", "_baseline"))
    if pair.empty:
        return ["", "", "", ""]
    tests = paired_tests(pair["auc"], pair["auc_baseline"])
    return [
        f"{tests.difference:+.4f}",
        _interval(pair, records),
        _p_value(tests.t_test),
        _p_value(tests.wilcoxon),
    ]


def _interval(pair, records):
    aucs = [pair["auc"].to_list(), pair["auc_baseline"].to_list()]
    row, backbone = pair["row"].iloc[0], pair["backbone"].iloc[0]
    for record in records:
        same = record["kind"] == "interval" and record["aucs"] == aucs
        if same and (record["row"], record["backbone"]) == (row, backbone):
            return f"{record['low']:+.4f} to {record['high']:+.4f}"
    return ""


def _p_value(p):
    if pd.isna(p):
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _by_backbone(runs):
    """Returns the paper's table 5: rows and metrics against backbones."""
    backbones = runs["backbone"].unique()
    rows = []
    for _, of_row in runs.groupby("row", sort=False):
        cells = [of_row["title"].iloc[0]]
        for backbone in backbones:
            found = of_row[of_row["backbone"] == backbone]
            metrics = ("auc", "log_loss") if len(found) else ()
            cells.append(" / ".join(mean_and_spread(found[name]) for name in metrics))
        rows.append(cells)
    return table(["", *backbones], rows)
