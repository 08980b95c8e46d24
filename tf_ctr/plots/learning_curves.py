"""Draws a metric after every epoch, of one or several runs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import keras
import numpy as np
import pandas as pd

from tf_ctr.errors import check_choice, check_name, explain
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

# What one `fit` leaves: Keras's object, or its metrics by name.
History: TypeAlias = (
    keras.callbacks.History | pd.DataFrame | Mapping[str, Sequence[float]]
)


def learning_curves(
    runs: History | Mapping[str, History | Sequence[History]],
    metric: str = "auc",
    mode: Literal["max", "min"] | None = None,
    axes: "Axes | None" = None,
) -> "Picture":
    """Draws a metric of the validation rows after every epoch, and marks the best.

    A thin line without markers is the same metric of the training rows, where a run has
    it: a gap that opens between the two is overfitting.

    Args:
        runs: What `model.fit` returned, or its `history`; or `{name: such a history}`
            for several runs. A list of histories under one name is drawn in one look,
            e.g. the seeds of a method.
        metric: Name of the metric, without `val_`.
        mode: Whether the best epoch has the largest or the smallest value. By default
            the smallest for a metric with `loss` in its name.
        axes: Where to draw; by default a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: If a run lacks the metric or has no epoch, or there is no run.
        ImportError: Without matplotlib.

    Example:

    >>> history = {"auc": [0.6, 0.7, 0.8], "val_auc": [0.6, 0.65, 0.64]}
    >>> figure = learning_curves({"DCN": history})
    >>> figure.axes[0].get_legend().get_texts()[0].get_text()
    'DCN, best epoch 2: 0.6500'
    """
    mode = mode or ("min" if "loss" in metric else "max")
    check_choice("mode", mode, ("max", "min"))
    named = _named(runs)
    check_any(named, "at least one run to draw", "pass what `model.fit` returned")
    axes, figure = axes_or_new(axes, 7.5)
    for i, (name, several) in enumerate(named.items()):
        for j, history in enumerate(several):
            _draw(axes, history, metric, mode, i, name if j == 0 else None)
    axes.set(xlabel="epoch", ylabel=metric_label(metric))
    whole_numbers(axes)
    finish(axes, "Validation rows (thin: training rows)")
    return figure


def _draw(axes, history, metric, mode, i, name):
    style = line_style(i)
    values = np.asarray(history[_validation_name(history, metric)], "float64")
    if not len(values):
        raise ValueError(
            explain("a run with at least one epoch", "none", "train it first")
        )
    epochs = np.arange(1, len(values) + 1)
    pick = np.argmax if mode == "max" else np.argmin
    best = int(pick(values)) if np.isfinite(values).all() else len(values) - 1
    label = None
    if name is not None:
        label = f"{name}{', ' if name else ''}best epoch {best + 1}: {values[best]:.4f}"
    axes.plot(epochs, values, label=label, **style)
    axes.plot(
        *(best + 1, values[best]),
        marker="*",
        markersize=13,
        color=style["color"],
        markeredgecolor="black",
        zorder=3,
    )
    if metric in history and f"val_{metric}" in history:
        thin = {**style, "marker": None, "linewidth": 0.8, "alpha": 0.7}
        axes.plot(epochs, np.asarray(history[metric], "float64"), **thin)


def _validation_name(history, metric):
    if f"val_{metric}" in history:
        return f"val_{metric}"
    check_name("metric", metric, {str(n).removeprefix("val_") for n in history})
    return metric  # A run without validation rows.


def _named(runs):
    """Returns `{name: its histories}`, each history a mapping."""
    if isinstance(runs, keras.callbacks.History | pd.DataFrame) or _is_history(runs):
        runs = {"": runs}
    return {
        str(name): [
            each.history if isinstance(each, keras.callbacks.History) else each
            for each in (of_name if isinstance(of_name, list | tuple) else [of_name])
        ]
        for name, of_name in runs.items()
    }


def _is_history(runs):
    """Whether this is one history: a mapping from names to numbers."""
    return bool(runs) and all(
        isinstance(values, list | tuple | np.ndarray | pd.Series)
        and len(values)
        and np.isscalar(values[0])
        for values in runs.values()
    )
