"""What all pictures share: a figure without global state, and one look."""

from typing import TYPE_CHECKING, Any

from tf_ctr.errors import explain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tf_ctr.plots.picture import Picture

# Okabe and Ito's palette, which the colour-blind tell apart, without its yellow, which
# is too pale for a line on white: https://jfly.uni-koeln.de/color
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
# What people call the metrics whose names are other words than these.
METRICS = {"auc": "AUC", "gauc": "GAUC", "log_loss": "LogLoss"}
# A dark and a pale one, for two parts of a whole.
DARK, PALE = "#0072B2", "#F7D08A"


def drawing(width: float = 6.5, height: float = 4.0) -> "Picture":
    """Returns an empty figure that a notebook shows, without `pyplot`.

    Add axes, and pass them to the functions of this package, to put several pictures
    side by side.

    Args:
        width: In inches.
        height: In inches.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: Without matplotlib.

    Example:

    >>> figure = drawing(8, 3)
    >>> left, right = figure.subplots(1, 2)
    >>> figure.get_size_inches().tolist()
    [8.0, 3.0]
    """
    require_matplotlib()
    from tf_ctr.plots.picture import Picture

    return Picture(width, height)


def require_matplotlib() -> None:
    """Raises an error that says what to install, where there is no matplotlib.

    Call it before long work whose result is to be drawn.

    Raises:
        ImportError: Without matplotlib.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            explain(
                "matplotlib, which draws the pictures",
                f"a Python without it ({error})",
                'run pip install "tf_ctr[plots]"',
            )
        ) from None


def axes_or_new(
    axes: "Axes | None", width: float = 6.5, height: float = 4.0
) -> "tuple[Axes, Picture]":
    """Returns the axes to draw into, and their figure; new ones for `None`."""
    if axes is None:
        axes = drawing(width, height).add_subplot()
    figure: Any = axes.figure
    return axes, figure


def line_style(i: int) -> dict[str, Any]:
    """Returns the look of the i-th line: no two of the first 28 look alike."""
    return {
        "color": COLOURS[i % len(COLOURS)],
        "marker": MARKERS[i % len(MARKERS)],
        "linestyle": DASHES[i % len(DASHES)],
        "markersize": 4,
        "linewidth": 1.5,
    }


def metric_label(name: str) -> str:
    """Returns what to write beside the values of a metric."""
    return METRICS.get(name, name.replace("_", " "))


def whole_numbers(axes: "Axes") -> None:
    """Leaves fractions out of the numbers below a picture."""
    locator: Any = axes.xaxis.get_major_locator()
    locator.set_params(integer=True)


def finish(axes: "Axes", title: str, grid: str = "y", legend: bool = True) -> None:
    """Sets the title, draws a pale grid, and puts a legend beside the picture.

    Args:
        axes: The axes.
        title: The title.
        grid: The axis whose values get lines: `"x"`, `"y"` or `"both"`.
        legend: Whether to show the names of what was drawn.
    """
    axes.set_title(title)
    axes.grid(axis=grid, alpha=0.3)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")


def check_any(drawn: Any, what: str, fix: str) -> None:
    """Raises unless there is something to draw.

    Args:
        drawn: A collection or a frame.
        what: What was expected.
        fix: How to get it.

    Raises:
        ValueError: For an empty collection.
    """
    if not len(drawn):
        raise ValueError(explain(what, "none", fix))
