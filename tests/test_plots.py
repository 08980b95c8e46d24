"""Pictures hold the numbers that they were given."""

import sys

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from tf_ctr import plots
from tf_ctr.plots.drawing import COLOURS, line_style
from tf_ctr.plots.reliability import reliability_bins

SHARES = pd.Series({"user_embedding": 0.25, "deep_0": 1.0, "deep_1": 0.5})


def texts(found):
    return [each.get_text() for each in found]


def test_curves_count_epochs_from_one_and_mark_the_best():
    history = keras.callbacks.History()
    history.history = {"auc": [0.6, 0.7, 0.8], "val_auc": [0.5, 0.7, 0.6]}
    (axes,) = plots.learning_curves(history).axes
    validation, star, training = axes.lines
    assert list(validation.get_xdata()) == [1, 2, 3]
    assert list(validation.get_ydata()) == [0.5, 0.7, 0.6]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([2], [0.7])
    assert list(training.get_ydata()) == [0.6, 0.7, 0.8]
    assert texts(axes.get_legend().get_texts()) == ["best epoch 2: 0.7000"]


def test_the_best_loss_is_the_smallest_and_seeds_share_a_look():
    runs = {
        "a": [{"val_loss": [0.5, 0.4]}, pd.DataFrame({"val_loss": [0.6, 0.7]})],
        "b": {"val_loss": [0.1]},
    }
    (axes,) = plots.learning_curves(runs, "loss").axes
    stars = [line for line in axes.lines if line.get_marker() == "*"]
    assert [float(star.get_ydata()[0]) for star in stars] == [0.4, 0.6, 0.1]
    lines = [line for line in axes.lines if line.get_marker() != "*"]
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    assert len(axes.get_legend().get_texts()) == 2


def test_routes_are_drawn_by_field_and_by_layer():
    fields, layers = plots.routes(SHARES).axes
    assert [bar.get_width() for bar in fields.patches] == [0.25, 0.75]
    assert texts(layers.get_yticklabels()) == ["deep_0", "deep_1"]
    runs = pd.DataFrame([SHARES, SHARES / 2])
    (axes,) = plots.routes(runs, "layer").axes
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.375, 0.25, 0.625]
    assert axes.get_title() == "By layer, mean of 2 runs"


def test_route_history_counts_epochs_from_one():
    axes, bar = plots.route_history(pd.DataFrame([SHARES, SHARES / 2])).axes
    np.testing.assert_array_equal(
        axes.images[0].get_array(), [[0.25, 0.125], [1.0, 0.5], [0.5, 0.25]]
    )
    assert texts(axes.get_xticklabels()) == ["1", "2"]
    assert bar.get_ylabel() == "share on the frozen branch"


def test_bins_have_equally_many_rows_and_wilsons_interval():
    scores = np.repeat([0.1, 0.2, 0.3, 0.4], 5)
    labels = np.r_[np.zeros(5), np.ones(5), [1, 1, 1, 0, 0], np.ones(5)]
    table = reliability_bins(labels, scores, bins=4)
    assert table["rows"].tolist() == [5] * 4
    np.testing.assert_allclose(table["score"], [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(table["rate"], [0, 1, 0.6, 1])
    # Three of five: Wilson's interval, from a table.
    np.testing.assert_allclose(table.loc[2, ["low", "high"]], [0.2307, 0.8824], 1e-3)
    assert table.loc[0, "low"] == 0 and table.loc[1, "high"] == 1
    # Equal scores stay together; weights count rows.
    assert len(reliability_bins(labels, np.full(20, 0.5))) == 1
    weighted = reliability_bins([0, 1, 1], [0.1, 0.1, 0.9], [3, 1, 0], bins=2)
    assert weighted[["rate", "weight"]].to_numpy().tolist() == [[0.25, 4.0]]


def test_reliability_says_predicted_over_clicked():
    scores = {"right": [0.25, 0.25, 0.75, 0.75], "double": [0.5, 0.5, 1, 1]}
    (axes,) = plots.reliability([0, 0, 1, 1], scores, bins=2).axes
    assert texts(axes.get_legend().get_texts()) == [
        "right: predicted / clicked 1.000",
        "double: predicted / clicked 1.500",
    ]


def test_periods_show_the_mean_of_seeds_and_every_slice():
    frames = [
        pd.DataFrame({"number": [2, 1], "gauc": values})
        for values in ([0.6, 0.5], [0.8, 0.7])
    ]
    (axes,) = plots.prequential({"CTNet": frames}, "gauc").axes
    assert list(axes.lines[0].get_xdata()) == [1, 2]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.6, 0.7])
    assert axes.get_ylabel() == "GAUC"
    slices = pd.DataFrame(
        {
            "number": [1, 1, 2, 2],
            "column": "user",
            "part": ["new", "old"] * 2,
            "auc": [0.5, 0.6, 0.7, 0.8],
        }
    )
    (axes,) = plots.prequential(slices).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert lines == {"new user": [0.5, 0.7], "old user": [0.6, 0.8]}


def test_the_matrix_leaves_blank_what_was_not_tested():
    matrix = pd.DataFrame([[0.7, np.nan], [0.6, 0.9]], [0, 1], [1, 2])
    axes, _ = plots.forgetting(matrix, "gauc").axes
    assert texts(axes.texts) == ["0.700", "0.600", "0.900"]
    assert [text.get_color() for text in axes.texts] == ["white", "white", "black"]
    assert texts(axes.get_xticklabels()) == ["1", "2"]


def test_importance_is_ordered_and_has_intervals():
    frame = pd.DataFrame(
        {"importance": [0.1, 0.3], "low": [0.05, 0.2], "high": [0.2, 0.35]},
        index=["city", "item"],
    )
    (axes,) = plots.importance(frame).axes
    assert texts(axes.get_yticklabels()) == ["item", "city"]
    bars = axes.collections[0].get_segments()
    np.testing.assert_allclose(
        [[b[0][0], b[1][0]] for b in bars], [[0.2, 0.35], [0.05, 0.2]]
    )
    (axes,) = plots.importance(frame, most=1).axes
    assert axes.get_title() == "Importance, 1 of 2 fields"


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda: plots.learning_curves({}), "at least one run"),
        (lambda: plots.learning_curves({"auc": [0.1]}, "gauc"), "one of: auc"),
        (lambda: plots.learning_curves({"a": {"val_auc": []}}), "at least one epoch"),
        (lambda: plots.learning_curves({"auc": [0.1]}, mode="up"), "'max', 'min'"),
        (lambda: plots.routes(pd.DataFrame()), "runs with routes"),
        (lambda: plots.routes(SHARES, "depth"), "'field', 'layer'"),
        (lambda: plots.routes(SHARES[:1], "layer"), "sites with a share"),
        (lambda: plots.route_history(pd.DataFrame()), "one epoch of routes"),
        (lambda: plots.reliability([0], [0.1, 0.2]), "1 labels, 2 scores"),
        (lambda: plots.reliability([], []), "at least one row"),
        (lambda: plots.reliability([0, 2], [0.1, 0.2]), "labels 0 or 1"),
        (lambda: plots.reliability([0, 1], [0.1, 1.2]), r"scores in \[0, 1\]"),
        (lambda: plots.reliability([0, 1], [0.1, 0.2], [1, -1]), "none negative"),
        (lambda: plots.reliability([0], {}), "scores of a model"),
        (lambda: plots.prequential({}), "at least one run"),
        (lambda: plots.prequential({"a": pd.DataFrame()}), "a tested period"),
        (lambda: plots.prequential(pd.DataFrame({"number": [1]})), "of a column"),
        (lambda: plots.forgetting(pd.DataFrame([[np.nan]])), "with a number"),
        (lambda: plots.importance(pd.DataFrame()), "at least one field"),
        (lambda: plots.importance(pd.DataFrame({"auc": [1]})), "use one of: auc"),
    ],
)
def test_what_cannot_be_drawn_is_said(draw, message):
    with pytest.raises(ValueError, match=f"(?s)Expected.*{message}|{message}") as error:
        draw()
    assert "Fix: " in str(error.value)


def test_a_report_itself_is_no_frame():
    with pytest.raises(TypeError, match="pass the attribute `frame`"):
        plots.prequential(object())
    with pytest.raises(TypeError, match="pass the attribute `frame`"):
        plots.prequential({"CTNet": object()})


def test_looks_differ_also_in_grey():
    styles = [line_style(i) for i in range(28)]
    looks = {(s["marker"], s["linestyle"]) for s in styles}
    assert len(looks) == 28  # Without their colours.
    grey = sorted(0.299 * r + 0.587 * g + 0.114 * b for r, g, b in map(to_rgb, COLOURS))
    assert grey[-1] < 0.75  # Visible on white.


def test_a_picture_shows_itself_without_pyplot():
    figure = plots.routes(SHARES)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.pixels().shape[2] == 4
    assert figure.pixels().std() > 1
    left, right = plots.drawing(8, 3).subplots(1, 2)
    assert plots.routes(SHARES, "field", left) is left.figure
    with pytest.raises(ValueError, match="axes for one kind"):
        plots.routes(SHARES, axes=right)


def test_without_matplotlib_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (plots.drawing, lambda: plots.routes(SHARES)):
        with pytest.raises(ImportError, match=r'run pip install "tf_ctr\[plots\]"'):
            draw()
