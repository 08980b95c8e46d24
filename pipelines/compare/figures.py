"""Which figures a comparison has, from its runs."""

import pandas as pd

from pipelines.compare.rows import PRETRAINED
from pipelines.harness.figures import curve_figure, frequency_figure, route_figures


def draw(runs, folder):
    """Draws routes per routed row, and per group AUC by frequency and curves.

    Args:
        runs: Frame of the runs of one backbone; see
            `pipelines.compare.report.current_runs`.
        folder: Where the figures go.
    """
    for name, of_row in runs.groupby("row", sort=False):
        shares = pd.DataFrame(of_row["routes"].to_list())
        if not shares.empty:
            route_figures(shares, folder / name)
    for group, of_group in runs.groupby("group", sort=False):
        titled = dict(list(of_group.groupby("title", sort=False)))
        for kind in ("user", "item"):
            groups = {
                title: _mean_groups(of_row[f"{kind}_groups"])
                for title, of_row in titled.items()
            }
            path = folder / f"{group}_auc_by_{kind}_frequency.png"
            frequency_figure(groups, kind, path)
        curves = {
            title: of_row["curve"].to_list()
            for title, of_row in titled.items()
            if not of_row["row"].iloc[0].endswith(PRETRAINED)  # Validated elsewhere.
        }
        if curves:
            curve_figure(curves, folder / f"{group}_curves.png")


def _mean_groups(groups):
    """The mean over seeds, which share their test rows."""
    return (
        pd.concat([pd.DataFrame(of_seed) for of_seed in groups]).groupby(level=0).mean()
    )
