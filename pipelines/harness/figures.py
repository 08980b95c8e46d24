"""The figures of a comparison, as PNG files."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tf_ctr import plots
from tf_ctr.errors import explain
from tf_ctr.files import replacing
from tf_ctr.plots.drawing import finish, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EMBEDDING = "_embedding"


def route_figures(shares: pd.DataFrame, folder: pathlib.Path) -> list[pathlib.Path]:
    """Draws the share of the instances on each branch, by layer and by field.

    Args:
        shares: Frame with a row per run and a column per site: the share of the
            instances on the frozen branch; see `tf_ctr.transfer.route_shares`.
        folder: Where `routes_by_layer.png` and `routes_by_field.png` go; a figure
            without sites is not written.

    Returns:
        The paths written.

    Raises:
        ValueError: If there is no run or no site.
    """
    if shares.empty:
        raise ValueError(
            explain("runs with routes", "none", "run autoft or spottune first")
        )
    of_field = shares.columns.str.endswith(EMBEDDING)
    written = []
    for kind, wanted in (("layer", ~of_field), ("field", of_field)):
        if wanted.any():
            path = folder / f"routes_by_{kind}.png"
            _write(plots.routes(shares, kind), path)
            written.append(path)
    return written


def frequency_figure(
    groups: Mapping[str, pd.DataFrame], title: str, path: pathlib.Path
) -> None:
    """Draws the AUC by how often a user or an item occurs in the training rows.

    Args:
        groups: `{row: frame}`, each frame from
            `pipelines.harness.scoring.auc_by_frequency`, all of one grouping.
        title: What the groups consist of, `"user"` or `"item"`.
        path: The PNG file.

    Raises:
        ValueError: If there is nothing to draw.
    """
    _check_any(groups)
    first = next(iter(groups.values()))
    labels = [
        f"{int(least)}–{int(most)}\n{int(rows):,} rows"
        for rows, least, most in zip(
            first["rows"], first["least"], first["most"], strict=True
        )
    ]
    width = 0.8 / len(groups)
    places = np.arange(len(labels))
    with _drawing(path, width=3 + 0.25 * len(labels) * len(groups)) as axes:
        for i, (row, frame) in enumerate(groups.items()):
            # Dots, as bars from 0 would show no difference.
            dots = {**line_style(i), "linestyle": "none", "markersize": 7}
            place = places + (i + 0.5) * width - 0.4
            axes.plot(place, frame["auc"], label=row, **dots)
        axes.set(xlabel=f"times the {title} is in the target's training rows")
        axes.set_ylabel("test AUC")
        axes.set_xticks(places, labels)
        finish(axes, f"AUC by {title} frequency")


def curve_figure(
    curves: Mapping[str, Sequence[Sequence[float]]], path: pathlib.Path
) -> None:
    """Draws the validation AUC after every epoch.

    Args:
        curves: `{row: runs}`, each run a list of its AUC per epoch; all runs of a row
            have one look.
        path: The PNG file.

    Raises:
        ValueError: If there is nothing to draw.
    """
    _check_any(curves)
    runs = {
        row: [{"val_auc": aucs} for aucs in of_row] for row, of_row in curves.items()
    }
    _write(plots.learning_curves(runs), path)


def period_figure(
    values: Mapping[str, Mapping[int, Sequence[float]]], label: str, path: pathlib.Path
) -> None:
    """Draws a metric from period to period: mean and spread over seeds.

    Args:
        values: `{row: {period: values of the seeds}}`.
        label: Name of the metric.
        path: The PNG file.

    Raises:
        ValueError: If there is nothing to draw.
    """
    _check_any(values)
    runs = {
        row: [
            pd.DataFrame(
                [(n, seeds[i]) for n, seeds in by_period.items() if i < len(seeds)],
                columns=["number", label],
            )
            for i in range(max(map(len, by_period.values())))
        ]
        for row, by_period in values.items()
    }
    _write(plots.prequential(runs, label), path)


def _check_any(drawn):
    if not drawn:
        raise ValueError(
            explain("at least one row to draw", "none", "run the comparison first")
        )


@contextlib.contextmanager
def _drawing(path: pathlib.Path, width: float) -> "Iterator[Axes]":
    """Yields axes, and writes their figure."""
    figure = plots.drawing(min(max(width, 5), 16), 4.5)
    yield figure.add_subplot()
    _write(figure, path)


def _write(figure: "Figure", path: pathlib.Path) -> None:
    with replacing(path) as partial:
        figure.savefig(partial, format="png")
