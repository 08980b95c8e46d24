"""The views of a comparison beside its tables: figures and TensorBoard's HPARAMS."""

import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import pandas as pd
import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

from pipelines.compare.rows import PRETRAINED
from pipelines.harness.figures import curve_figure, frequency_figure, route_figures

METRIC = "validation_auc"


def draw(runs: pd.DataFrame, folder: pathlib.Path) -> None:
    """Draws routes per routed row, and AUC by frequency and curves per group.

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
            if not of_row["row"]
            .iloc[0]
            .endswith(PRETRAINED)  # Validated on another domain.
        }
        if curves:
            curve_figure(curves, folder / f"{group}_curves.png")


def _mean_groups(groups):
    """Returns the mean over seeds, which share their test rows."""
    return (
        pd.concat([pd.DataFrame(of_seed) for of_seed in groups]).groupby(level=0).mean()
    )


def write_hparams(records: Sequence[dict[str, Any]], folder: pathlib.Path) -> None:
    """Writes a session per trial: its settings, and its validation AUC.

    Test metrics are left out, so that nobody chooses by them.

    Args:
        records: The records of `pipelines.compare.comparison`.
        folder: Its content is replaced. Open it with `tensorboard --logdir FOLDER`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    choices = [record for record in records if record["kind"] == "choice"]
    sessions = {
        f"{choice['backbone']}/{choice['row']}/{i}": (
            {"backbone": choice["backbone"], "row": choice["row"], **trial["chosen"]},
            trial["validation_auc"],
        )
        for choice in choices
        for i, trial in enumerate(choice["tried"])
    }
    names = dict.fromkeys(name for tried, _ in sessions.values() for name in tried)
    with _writer(folder):
        hp.hparams_config(
            hparams=[hp.HParam(name) for name in names],
            metrics=[hp.Metric(METRIC, display_name="validation AUC")],
        )
    for name, (tried, auc) in sessions.items():
        with _writer(folder / name):
            hp.hparams(tried, trial_id=name)
            tf.summary.scalar(METRIC, auc, step=0)


def _writer(folder):
    return tf.summary.create_file_writer(str(folder)).as_default()
