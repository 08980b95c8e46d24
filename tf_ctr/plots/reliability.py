"""Draws whether predicted click probabilities are the click rates that occur."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tf_ctr.errors import check_count, explain
from tf_ctr.plots.drawing import axes_or_new, check_any, finish, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tf_ctr.plots.picture import Picture

Z95 = 1.959964  # A normal variable is below it with probability 0.975.


def reliability(
    labels: ArrayLike,
    scores: ArrayLike | Mapping[str, ArrayLike],
    weights: ArrayLike | None = None,
    bins: int = 10,
    axes: "Axes | None" = None,
) -> "Picture":
    """Draws the click rate against the predicted click probability.

    The rows are cut into bins of equal size by their score, since click probabilities
    are small and skewed. A point on the diagonal is calibrated; above it the model
    predicts too little. Bars are 95 % intervals of the click rate (Wilson): a point
    whose bar reaches the diagonal may be off by chance.

    Args:
        labels: Labels 0 or 1, `[B]`.
        scores: Click probabilities `[B]`, or `{name: such scores}` of several models.
        weights: The weight of each row, `[B]`. Defaults to 1.
        bins: Number of bins.
        axes: Where to draw; by default a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: If there are no rows, the lengths differ, a label is not 0 or 1, a
            score is not in [0, 1], or a weight is negative or not finite.
        ImportError: Without matplotlib.

    Example:

    >>> figure = reliability([0, 1, 0, 1], [0.1, 0.4, 0.2, 0.7], bins=2)
    >>> figure.axes[0].get_xlabel()
    'predicted click probability'
    """
    named = scores if isinstance(scores, Mapping) else {"": scores}
    check_any(named, "the scores of a model", "pass what `evaluation.predict` returns")
    axes, figure = axes_or_new(axes, 5.5, 4.5)
    top = 0.0
    for i, (name, values) in enumerate(named.items()):
        table = reliability_bins(labels, values, weights, bins)
        clicks, predicted = (table[c] * table["weight"] for c in ("rate", "score"))
        ratio = predicted.sum() / clicks.sum() if clicks.sum() else float("nan")
        head = f"{name}: " if name else ""
        axes.errorbar(
            table["score"],
            table["rate"],
            yerr=[table["rate"] - table["low"], table["high"] - table["rate"]],
            label=f"{head}predicted / clicked {ratio:.3f}",
            capsize=2,
            elinewidth=0.8,
            **line_style(i),
        )
        top = max(top, table["score"].max(), table["high"].max())
    axes.plot([0, top], [0, top], color="grey", linewidth=1, zorder=1)
    axes.set(xlabel="predicted click probability", ylabel="click rate")
    finish(axes, "Reliability", grid="both", legend=False)
    axes.legend(loc="upper left", fontsize="small")
    return figure


def reliability_bins(
    labels: ArrayLike,
    scores: ArrayLike,
    weights: ArrayLike | None = None,
    bins: int = 10,
) -> pd.DataFrame:
    """Returns predicted and true click rate of bins of equally many rows.

    Equal scores stay in one bin, so there may be fewer bins than asked for.

    Args:
        labels: Labels 0 or 1, `[B]`.
        scores: Click probabilities, `[B]`.
        weights: The weight of each row, `[B]`. Defaults to 1.
        bins: Number of bins.

    Returns:
        A frame with a line per bin, by rising score: `rows`, `weight` (their sum),
        `score` and `rate` (means), and the 95 % interval of the rate, `low` and
        `high`. Source: Wilson's interval (doi 10.1080/01621459.1927.10502953), with
        Kish's effective number of rows where weights differ.

    Raises:
        ValueError: If there are no rows, the lengths differ, a label is not 0 or 1, a
            score is not in [0, 1], or a weight is negative or not finite.

    Example:

    >>> reliability_bins([0, 1, 1, 1], [0.1, 0.1, 0.5, 0.9], bins=2)[["score", "rate"]]
       score  rate
    0    0.1   0.5
    1    0.7   1.0
    """
    check_count("bins", bins, least=1)
    y, p = (np.asarray(each, "float64").reshape(-1) for each in (labels, scores))
    w = np.ones(len(y)) if weights is None else np.asarray(weights, "float64")
    if not len(y) == len(p) == len(w) or not len(y):
        raise ValueError(
            explain(
                "a label, a score and a weight for each of at least one row",
                f"{len(y)} labels, {len(p)} scores, {len(w)} weights",
                "pass columns of the same rows",
            )
        )
    for values, right, what in (
        (y, (y == 0) | (y == 1), "labels 0 or 1"),
        (p, (p >= 0) & (p <= 1), "scores in [0, 1]"),
        (w, (w >= 0) & np.isfinite(w), "finite weights, none negative"),
    ):
        if not right.all():
            raise ValueError(
                explain(what, values[~right][0], "leave such rows out, or correct them")
            )
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    places = np.searchsorted(edges, p, side="left")
    frame = pd.DataFrame({"bin": places, "w": w, "wy": w * y, "wp": w * p, "ww": w * w})
    sums = frame.groupby("bin").sum()
    rows = frame.groupby("bin").size()
    kept = sums["w"] > 0
    sums, rows = sums[kept], rows[kept]
    rate = sums["wy"] / sums["w"]
    effective = sums["w"] ** 2 / sums["ww"]
    middle = (rate + Z95**2 / (2 * effective)) / (1 + Z95**2 / effective)
    half = np.sqrt(rate * (1 - rate) / effective + (Z95 / (2 * effective)) ** 2)
    half *= Z95 / (1 + Z95**2 / effective)
    return pd.DataFrame(
        {
            "rows": rows,
            "weight": sums["w"],
            "score": sums["wp"] / sums["w"],
            "rate": rate,
            # Rounding may put the end of an interval of a rate of 0 or 1 inside it.
            "low": np.minimum(middle - half, rate),
            "high": np.maximum(middle + half, rate),
        }
    ).reset_index(drop=True)
