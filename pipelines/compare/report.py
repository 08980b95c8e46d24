"""Tables of a comparison in Markdown, from its results alone."""

import pandas as pd

from pipelines.compare.rows import BASELINE, METHODS, PRETRAINED, RIVAL, TARGET_ONLY
from pipelines.harness.statistics import paired_tests

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


def current_runs(records):
    """Returns the runs that belong to the last choice of their row.

    A row that was tuned anew, or whose source was, has older runs too; they stay in
    the file and out of the tables.

    Args:
        records: The records of `pipelines.compare.comparison`.

    Returns:
        Frame of runs, in the order of the paper's table, and by seed.
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
    """The place of a row in the paper's table; AutoFT's ablations follow AutoFT."""
    group, method, *components = name.split("-")
    return list(GROUPS).index(group), METHOD_ORDER.index(method), components


def report(records):
    """Returns a table per backbone, and one over backbones if there are several.

    Args:
        records: The records of `pipelines.compare.comparison`.

    Returns:
        Markdown.
    """
    runs = current_runs(records)
    if runs.empty:
        return "No run is finished."
    parts = []
    for backbone, of_backbone in runs.groupby("backbone", sort=False):
        parts.append(f"### {backbone}\n\n{_table(of_backbone, records)}")
        parts += _against_rival(of_backbone, records)
    if runs["backbone"].nunique() > 1:
        parts.append(f"### AUC / LogLoss by backbone\n\n{_by_backbone(runs)}")
    return "\n\n".join(parts)


def _table(runs, records):
    lines = _header(HEADER)
    for group, of_group in runs.groupby("group", sort=False):
        lines.append(_line([f"**{GROUPS[group]}**", *[""] * (len(HEADER) - 1)]))
        baseline = of_group[of_group["row"] == f"{group}-{BASELINE}"]
        for name, of_row in of_group.groupby("row", sort=False):
            compared = [""] * 4
            if len(baseline) and name != f"{group}-{BASELINE}":
                compared = _compared(of_row, baseline, records)
            lines.append(_line(_cells(of_row, compared)))
    return "\n".join(lines)


def _against_rival(runs, records):
    """A list of one table, AutoFT against SpotTune; of none without the two."""
    rivals = runs[runs["row"] == runs["group"] + f"-{RIVAL}"]
    routed = runs[runs["row"].str.contains("-autoft")]
    routed = routed[routed["group"].isin(rivals["group"])]
    if routed.empty:
        return []
    lines = _header(("", "AUC over SpotTune", *TESTS))
    for (group, title), of_row in routed.groupby(["group", "title"], sort=False):
        rival = rivals[rivals["group"] == group]
        lines.append(_line([title, *_compared(of_row, rival, records)]))
    return ["\n".join(lines)]


def _header(names):
    return [_line(names), "|" + "---|" * len(names)]


def _line(cells):
    return f"| {' | '.join(cells)} |"


def _cells(runs, compared):
    first = runs.iloc[0]
    told = {k: v for k, v in first["chosen"].items() if v or v is False}
    return [
        first["title"],
        *(_mean(runs[metric], 4) for metric in ("auc", "log_loss", "gauc")),
        str(len(runs)),
        *compared,
        f"{first['parameters']:,}",
        _mean(runs["seconds"], 0),
        ", ".join(f"{name} {value}" for name, value in told.items()),
    ]


def _compared(runs, baseline, records):
    """Difference, interval and p-values over the seeds that both have."""
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


def _mean(values, digits):
    if len(values) == 1:
        return f"{values.iloc[0]:.{digits}f}"
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


def _by_backbone(runs):
    """Rows and metrics against backbones: the paper's table 5."""
    backbones = runs["backbone"].unique()
    lines = _header(["", *backbones])
    for _, of_row in runs.groupby("row", sort=False):
        cells = []
        for backbone in backbones:
            found = of_row[of_row["backbone"] == backbone]
            metrics = [_mean(found[m], 4) for m in ("auc", "log_loss") if len(found)]
            cells.append(" / ".join(metrics))
        lines.append(_line([of_row["title"].iloc[0], *cells]))
    return "\n".join(lines)
