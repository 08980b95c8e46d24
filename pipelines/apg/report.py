"""The tables of the APG experiment, from its results."""

import numpy as np
import pandas as pd

TITLES = {
    "backbones": "Backbones, Base and + APG",
    "controls": "Layers as small that do not adapt",
    "versions": "Versions, narrow Wide & Deep",
    "starts": "How the generator starts",
    "coarse": "Parameters per genre string",
}
BYTES = 12  # Of a parameter: its value and two slots of Adam.


def report(results, tables):
    """Returns Markdown: a table for each of `tables`, and the AUC by user frequency.

    Args:
        results: Frame of the records of `pipelines.apg`.
        tables: `{table: names of its rows}`.
    """
    parts = []
    for name, rows in tables.items():
        found = [row for row in rows if row in set(results.get("row", ()))]
        if found:
            parts.append(f"### {TITLES[name]}\n\n{_table(results, found)}")
    pairs = [
        (row, f"{row} + APG")
        for row in tables.get("backbones", ())
        if f"{row} + APG" in set(results.get("row", ()))
    ]
    if pairs:
        parts.append(f"### Gain of APG by user frequency\n\n{_groups(results, pairs)}")
    return "\n\n".join(parts) or "No run is finished."


def _table(results, rows):
    lines = [
        "| | AUC | LogLoss | GAUC | validation AUC | hidden parameters | hidden MB "
        "| seconds | chosen |",
        "|" + "---|" * 9,
    ]
    for name in rows:
        group = results[results["row"] == name]
        cells = [_mean(group[m], 4) for m in ("auc", "log_loss", "gauc")]
        hidden = group["hidden_parameters"].iloc[0]
        cells += [
            _mean(group["validation_auc"], 4),
            f"{hidden:,}",
            f"{BYTES * hidden / 1e6:.2f}",
            _mean(group["seconds"], 0),
            _chosen(group["chosen"].iloc[0]),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _chosen(chosen):
    shown = {k: v for k, v in chosen.items() if v}
    return ", ".join(f"{k} {v}" for k, v in shown.items())


def _mean(values, digits):
    if len(values) == 1:
        return f"{values.iloc[0]:.{digits}f}"
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


def _groups(results, pairs):
    """AUC gain per group of users, mean over seeds, one line per backbone."""
    gains = {base: _gain(results, base, adaptive) for base, adaptive in pairs}
    frame = pd.DataFrame(gains).T
    frame.loc["mean"] = frame.mean()
    header = "| users, rare to frequent | " + " | ".join(map(str, frame.columns))
    lines = [header + " |", "|" + "---|" * (len(frame.columns) + 1)]
    for name, row in frame.iterrows():
        lines.append(f"| {name} | " + " | ".join(f"{v:+.4f}" for v in row) + " |")
    return "\n".join(lines)


def _gain(results, base, adaptive):
    def mean(row):
        groups = results[results["row"] == row]["user_groups"]
        return np.mean([group["auc"] for group in groups], axis=0)

    return mean(adaptive) - mean(base)
