"""The tables of the APG experiment, from its results only."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipelines.harness.tables import mean_and_spread, table

TITLES = {
    "backbones": "Backbones, Base and + APG",
    "controls": "Layers as small that do not adapt",
    "versions": "Versions, narrow Wide & Deep",
    "starts": "How the generator starts",
    "coarse": "Parameters per genre string",
}
METRICS = ("auc", "log_loss", "gauc")
BYTES = 12  # Bytes per parameter: its value and two slots of Adam.


def sections(
    results: pd.DataFrame, tables: Mapping[str, Sequence[str]]
) -> list[tuple[str, str]]:
    """Returns each of `tables` that has results, and the AUC by user frequency.

    Args:
        results: Frame of the records of `pipelines.apg`.
        tables: `{table: names of its rows}`.

    Returns:
        Pairs of a title and a Markdown text.
    """
    finished = set(results.get("row", ()))
    found = []
    for name, rows in tables.items():
        chosen = [row for row in rows if row in finished]
        if chosen:
            found.append((TITLES[name], _table(results, chosen)))
    pairs = [(row, f"{row} + APG") for row in tables.get("backbones", ())]
    pairs = [pair for pair in pairs if pair[1] in finished]
    if pairs:
        found.append(("Gain of APG by user frequency", _gains(results, pairs)))
    return found


def _table(results, names):
    head = ["", "AUC", "LogLoss", "GAUC", "validation AUC", "hidden parameters"]
    head += ["hidden MB", "seconds", "chosen"]
    rows = []
    for name in names:
        group = results[results["row"] == name]
        first = group.iloc[0]
        hidden = first["hidden_parameters"]
        chosen = (f"{k} {v}" for k, v in first["chosen"].items() if v)
        rows.append(
            [
                name,
                *(mean_and_spread(group[metric]) for metric in METRICS),
                mean_and_spread(group["validation_auc"]),
                f"{hidden:,}",
                f"{BYTES * hidden / 1e6:.2f}",
                mean_and_spread(group["seconds"], ".0f"),
                ", ".join(chosen),
            ]
        )
    return table(head, rows)


def _gains(results, pairs):
    """Returns the AUC gain per group of users, a row per backbone, and their mean."""

    def aucs(row):
        groups = results[results["row"] == row]["user_groups"]
        return np.mean([group["auc"] for group in groups], axis=0)

    gains = {base: aucs(adaptive) - aucs(base) for base, adaptive in pairs}
    frame = pd.DataFrame(gains).T
    frame.loc["mean"] = frame.mean()
    head = ["users, rare to frequent", *map(str, frame.columns)]
    rows = ([name, *(f"{v:+.4f}" for v in row)] for name, row in frame.iterrows())
    return table(head, rows)
