"""Draws the metrics of a continual run: by period, and as a matrix."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tf_ctr.errors import check_name, explain
from tf_ctr.plots.drawing import (
    axes_or_new,
    check_any,
    finish,
    line_style,
    metric_label,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tf_ctr.plots.picture import Picture

# Above this many periods the numbers in the cells would overlap.
MOST_NUMBERS = 14
REPORT = "pass the attribute `frame` or `slices` of what tf_ctr.continual.run returned"


def prequential(
    runs: pd.DataFrame | Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]],
    metric: str = "auc",
    axes: "Axes | None" = None,
) -> "Picture":
    """Draws a metric from period to period, each tested before it is trained on.

    Args:
        runs: A frame with a line per period, `report.frame` of `tf_ctr.continual.run`;
            `report.slices` gives a line for each part of each column; `{name: frame}`
            compares runs. A list of frames under one name are its seeds: mean and
            spread are drawn.
        metric: A column of the frames, e.g. `"auc"`, `"gauc"` or `"log_loss"`.
        axes: Where to draw; by default a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: If no period was tested, or a frame lacks the metric.
        TypeError: For something else than frames.
        ImportError: Without matplotlib.

    Example:

    >>> frame = pd.DataFrame({"number": [1, 2], "auc": [0.6, 0.7]})
    >>> figure = prequential({"CTNet": frame, "Base": frame})
    >>> [line.get_label() for line in figure.axes[0].lines[:2]]
    ['CTNet', 'Base']
    """
    named = dict(runs) if isinstance(runs, Mapping) else _parts(runs)
    check_any(named, "at least one run to draw", "run the periods first")
    axes, figure = axes_or_new(axes, 7.5)
    for i, (name, frames) in enumerate(named.items()):
        values = _by_period(frames, metric)
        style = {**line_style(i), "label": name}
        axes.plot(values.columns, values.mean(), **style)
        if len(values) > 1:
            axes.fill_between(
                values.columns,
                values.mean() - values.std(ddof=0),
                values.mean() + values.std(ddof=0),
                color=style["color"],
                alpha=0.15,
            )
    axes.set(xlabel="tested period, before it is trained on")
    axes.set_ylabel(metric_label(metric))
    whole_numbers(axes)
    finish(axes, "Prequential metrics", legend=len(named) > 1 or "" not in named)
    return figure


def forgetting(
    matrix: pd.DataFrame, metric: str = "auc", axes: "Axes | None" = None
) -> "Picture":
    """Draws a metric by the period trained until and the period tested on.

    Down a column one sees what later training does to a period: values that get worse
    below the diagonal are forgotten.

    Args:
        matrix: The periods trained until as rows, the periods tested on as columns:
            `report.matrix()` of `tf_ctr.continual.run`. NaN is left blank.
        metric: Name of the metric, for the title.
        axes: Where to draw; by default a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: If the matrix is empty or has only NaN.
        ImportError: Without matplotlib.

    Example:

    >>> figure = forgetting(pd.DataFrame([[0.7, 0.6], [0.5, 0.7]]))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['0.700', '0.600', '0.500', '0.700']
    """
    values = matrix.to_numpy("float64")
    known = np.isfinite(values)
    check_any(values[known], "a matrix with a number", "test periods in the run first")
    side = 1.8 + 0.55 * max(min(len(matrix), MOST_NUMBERS), 4)
    axes, figure = axes_or_new(axes, side + 1.6, side)
    low, high = values[known].min(), values[known].max()
    image = axes.imshow(values, cmap="cividis", vmin=low, vmax=high, aspect="auto")
    figure.colorbar(image, ax=axes, label=metric_label(metric))
    if max(values.shape) <= MOST_NUMBERS:
        for row, column in np.argwhere(known):
            value = values[row, column]
            # White on the dark half of the map, black on the pale one.
            dark = value < (low + high) / 2 or low == high
            axes.text(
                *(column, row, f"{value:.3f}"),
                ha="center",
                va="center",
                color="white" if dark else "black",
                fontsize=8,
            )
    axes.set_xticks(range(values.shape[1]), map(str, matrix.columns))
    axes.set_yticks(range(values.shape[0]), map(str, matrix.index))
    axes.set(xlabel="tested on period", ylabel="trained until period")
    axes.set_title("What is remembered")
    return figure


def _parts(runs):
    if not isinstance(runs, pd.DataFrame):
        raise TypeError(
            explain("a frame, or {name: frame}", type(runs).__name__, REPORT)
        )
    if "part" not in runs.columns:
        return {"": runs}
    return {
        f"{part} {column}": frame
        for (column, part), frame in runs.groupby(["column", "part"], sort=False)
    }


def _by_period(frames, metric):
    """Returns a frame with a row per seed and a column per period."""
    several = frames if isinstance(frames, list | tuple) else [frames]
    lines = []
    for frame in several:
        if not isinstance(frame, pd.DataFrame):
            raise TypeError(explain("a frame", type(frame).__name__, REPORT))
        check_any(frame, "a tested period", "run at least two periods")
        for name in ("number", metric):
            check_name("column", name, list(frame.columns))
        lines.append(frame.set_index("number")[metric].astype("float64"))
    return pd.concat(lines, axis=1).T.sort_index(axis=1)
