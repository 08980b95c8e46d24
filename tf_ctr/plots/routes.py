"""Draws which branch the instances take, by field and by layer."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from tf_ctr.errors import check_choice, explain
from tf_ctr.plots.drawing import DARK, PALE, axes_or_new, check_any, drawing, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tf_ctr.plots.picture import Picture

EMBEDDING = "_embedding"
KINDS = ("field", "layer")
HOW = "see tf_ctr.transfer.route_shares(model, batches)"


def routes(
    shares: pd.Series | pd.DataFrame,
    kind: Literal["field", "layer"] | None = None,
    axes: "Axes | None" = None,
) -> "Picture":
    """Draws the share of the instances on the frozen branch at each site.

    Source: AutoFT (arXiv 2106.04873), figure 3, for the layers.

    Args:
        shares: What `tf_ctr.transfer.route_shares` returned; or a frame with a column
            per site and a row per run, of which mean and spread are drawn.
        kind: `"field"` for the embedding tables, `"layer"` for the depths. By default
            both, in two panels.
        axes: Where to draw one kind; by default a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no such site, or `axes` is for two kinds.
        TypeError: For another object than shares, such as a model.
        ImportError: Without matplotlib.

    Example:

    >>> figure = routes(pd.Series({"item_embedding": 0.2, "deep_0": 0.9}))
    >>> [axes.get_title() for axes in figure.axes]
    ['By field', 'By layer']
    """
    if isinstance(shares, pd.Series):
        shares = shares.to_frame().T
    if not isinstance(shares, pd.DataFrame):
        received = f"an object of the type {type(shares).__name__}"
        raise TypeError(explain("the shares of routes", received, HOW))
    check_any(shares, "runs with routes", HOW)
    if kind is not None:
        check_choice("kind", kind, KINDS)
    panels = {
        each: _sites(shares, each) for each in ((kind,) if kind is not None else KINDS)
    }
    panels = {each: frame for each, frame in panels.items() if frame.shape[1]}
    check_any(panels, "sites with a share", HOW)
    if axes is not None and len(panels) > 1:
        raise ValueError(
            explain("axes for one kind of site", "two kinds", 'pass kind="field"')
        )
    if axes is not None:
        _draw(axes, *panels.popitem())
        return axes_or_new(axes)[1]
    most = max(frame.shape[1] for frame in panels.values())
    figure = drawing(2 + 4 * len(panels), 1.6 + 0.28 * most)
    for i, (each, frame) in enumerate(panels.items()):
        _draw(figure.add_subplot(1, len(panels), i + 1), each, frame, i == 0)
    return figure


def route_history(history: pd.DataFrame, axes: "Axes | None" = None) -> "Picture":
    """Draws how the share of the frozen branch moves from epoch to epoch.

    Args:
        history: A row per epoch, counted from 0, and a column per site: the attribute
            `history` of `tf_ctr.training.RouteLogger`.
        axes: Where to draw; by default a new figure.

    Returns:
        The figure: a cell per site and epoch, dark for the frozen branch.

    Raises:
        ValueError: If there is no epoch.
        ImportError: Without matplotlib.

    Example:

    >>> history = pd.DataFrame({"deep_0": [0.5, 0.1], "deep_1": [0.5, 1.0]})
    >>> figure = route_history(history)
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['deep_0', 'deep_1']
    """
    check_any(history, "at least one epoch of routes", "train the model first")
    names = [_name(site) for site in history.columns]
    axes, figure = axes_or_new(
        axes, 3.5 + 0.35 * len(history), 1.5 + 0.28 * history.shape[1]
    )
    shares = history.to_numpy("float64").T
    image = axes.imshow(shares, cmap="cividis_r", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, ax=axes, label="share on the frozen branch")
    axes.set_yticks(range(len(names)), names)
    step = max(1, len(history) // 15)
    places = range(0, len(history), step)
    axes.set_xticks(places, [str(int(history.index[i]) + 1) for i in places])
    axes.set(xlabel="epoch", title="Routes by epoch")
    return figure


def _sites(shares, kind):
    of_field = [site for site in shares.columns if site.endswith(EMBEDDING)]
    if kind == "field":
        return shares[of_field]
    return shares[[site for site in shares.columns if site not in of_field]]


def _name(site):
    return site.removesuffix(EMBEDDING)


def _draw(axes, kind, shares, first=True):
    names = [_name(site) for site in shares.columns]
    frozen = shares.mean().to_numpy("float64")
    spread = shares.std(ddof=0) if len(shares) > 1 else None
    places = np.arange(len(names))
    axes.barh(places, frozen, color=DARK, label="frozen (pre-trained)")
    tuned = {"color": PALE, "hatch": "//", "edgecolor": "white", "linewidth": 0}
    axes.barh(places, 1 - frozen, left=frozen, label="fine-tuned", **tuned)
    if spread is not None:
        axes.errorbar(
            frozen, places, xerr=spread, fmt="none", ecolor="black", capsize=3
        )
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    runs = f", mean of {len(shares)} runs" if len(shares) > 1 else ""
    axes.set(xlabel="share of the instances", xlim=(0, 1))
    finish(axes, f"By {kind}{runs}", grid="x", legend=False)
    if first:
        axes.figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=2,
            fontsize="small",
        )
