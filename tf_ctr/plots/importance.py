"""Draws what each field contributes, with intervals."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tf_ctr.errors import check_count, check_name
from tf_ctr.plots.drawing import DARK, axes_or_new, check_any, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tf_ctr.plots.picture import Picture


def importance(
    frame: pd.DataFrame,
    value: str = "importance",
    low: str = "low",
    high: str = "high",
    most: int = 30,
    axes: "Axes | None" = None,
) -> "Picture":
    """Draws a bar per field, the largest at the top, with its interval.

    Args:
        frame: A line per field, which the index names.
        value: The column of the importances, e.g. the AUC that is lost without a field.
        low: The column of the lower ends of the intervals; left out if it is absent.
        high: The column of the upper ends.
        most: Draw at most this many fields; the title says how many there are.
        axes: Where to draw; by default a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no field, or no column `value`.
        ImportError: Without matplotlib.

    Example:

    >>> frame = pd.DataFrame({"importance": [0.01, 0.2]}, index=["city", "item"])
    >>> figure = importance(frame)
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['item', 'city']
    """
    check_count("most", most, least=1)
    check_any(frame, "at least one field", "measure the importance first")
    check_name("column", value, list(frame.columns))
    shown = frame.sort_values(value, ascending=False).head(most)
    axes, figure = axes_or_new(axes, 6.5, 1.4 + 0.28 * len(shown))
    places = np.arange(len(shown))
    axes.barh(places, shown[value], color=DARK, height=0.7)
    if low in shown and high in shown:
        ends = [shown[value] - shown[low], shown[high] - shown[value]]
        axes.errorbar(
            *(shown[value], places),
            xerr=np.maximum(ends, 0),
            fmt="none",
            ecolor="black",
            capsize=3,
        )
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(places, map(str, shown.index))
    axes.invert_yaxis()
    axes.set_xlabel(value.replace("_", " "))
    cut = f", {len(shown)} of {len(frame)} fields" if len(shown) < len(frame) else ""
    finish(axes, f"Importance{cut}", grid="x", legend=False)
    return figure
