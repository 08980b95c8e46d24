"""The figures of a comparison, as PNG files."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tf_ctr.errors import explain
from tf_ctr.files import replacing

FROZEN, TUNED = "#4c72b0", "#dd8452"
EMBEDDING = "_embedding"


def route_figures(shares: pd.DataFrame, folder: pathlib.Path) -> list[pathlib.Path]:
    """Draws the share of the instances on each branch, by layer and by field.

    Source: AutoFT (arXiv 2106.04873), figure 3, for the layers.

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
    fields = [site for site in shares.columns if site.endswith(EMBEDDING)]
    layers = [site for site in shares.columns if site not in fields]
    written = []
    for name, sites in (("layer", layers), ("field", fields)):
        if sites:
            path = folder / f"routes_by_{name}.png"
            _draw_shares(shares[sites].rename(columns=_field_name), name, path)
            written.append(path)
    return written


def _field_name(site):
    return site.removesuffix(EMBEDDING)


def _draw_shares(shares, kind, path):
    frozen, spread = shares.mean(), shares.std(ddof=0)
    bar = max(0.8, 0.12 * max(map(len, frozen.index)))  # Wide enough for the names.
    with _drawing(path, width=2 + bar * len(frozen)) as axes:
        axes.bar(
            frozen.index,
            frozen,
            yerr=spread if len(shares) > 1 else None,
            capsize=3,
            color=FROZEN,
            label="frozen (pre-trained)",
        )
        axes.bar(
            frozen.index, 1 - frozen, bottom=frozen, color=TUNED, label="fine-tuned"
        )
        axes.set(xlabel=kind, ylabel="share of instances", ylim=(0, 1))
        axes.tick_params(axis="x", rotation=30 if len(frozen) > 6 else 0)
        _finish(axes, f"Branch by {kind}, mean of {len(shares)} run(s)")


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
            left = places + (i + 0.5) * width - 0.4
            axes.bar(left, frame["auc"], width, label=row, color=_colour(i))
        aucs = np.concatenate([frame["auc"] for frame in groups.values()])
        # With bars from 0 no difference would show. The label says where they begin.
        low = np.floor(20 * np.nanmin(aucs) - 0.5) / 20
        axes.set(
            xlabel=f"times the {title} is in the target's training rows",
            ylabel=f"test AUC (axis from {low:.2f})",
            ylim=(low, None),
        )
        axes.set_xticks(places, labels)
        _finish(axes, f"AUC by {title} frequency")


def curve_figure(
    curves: Mapping[str, Sequence[Sequence[float]]], path: pathlib.Path
) -> None:
    """Draws the validation AUC after every epoch.

    Args:
        curves: `{row: runs}`, each run a list of its AUC per epoch; all runs of a row
            have one colour.
        path: The PNG file.

    Raises:
        ValueError: If there is nothing to draw.
    """
    _check_any(curves)
    with _drawing(path, width=8) as axes:
        for i, (row, runs) in enumerate(curves.items()):
            for j, aucs in enumerate(runs):
                axes.plot(
                    np.arange(1, len(aucs) + 1),
                    aucs,
                    color=_colour(i),
                    marker="." if len(aucs) == 1 else None,
                    label=None if j else row,
                )
        axes.set(xlabel="epoch", ylabel="validation AUC")
        _finish(axes, "Learning curves")


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
    with _drawing(path, width=8) as axes:
        for i, (row, by_period) in enumerate(values.items()):
            numbers = sorted(by_period)
            axes.errorbar(
                numbers,
                [np.mean(by_period[number]) for number in numbers],
                yerr=[np.std(by_period[number]) for number in numbers],
                color=_colour(i),
                marker=".",
                capsize=2,
                label=row,
            )
        axes.set(xlabel="tested period, before it is trained on", ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        _finish(axes, f"{label} by period")


def _colour(i):
    """Returns one of 20 colours: the strong ones of all pairs first, then the pale."""
    return colormaps["tab20"](2 * i % 20 + i // 10 % 2)


def _check_any(drawn):
    if not drawn:
        raise ValueError(
            explain("at least one row to draw", "none", "run the comparison first")
        )


@contextlib.contextmanager
def _drawing(path: pathlib.Path, width: float) -> Iterator[Axes]:
    """Yields axes, and writes the figure; avoids pyplot and its global state."""
    figure = Figure(figsize=(min(max(width, 5), 16), 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    yield figure.add_subplot()
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def _finish(axes, title):
    axes.set_title(title)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
