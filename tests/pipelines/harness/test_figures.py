"""Figures hold the numbers that they were given, and are readable PNG files."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from pipelines.compare import views
from pipelines.harness import figures
from pipelines.harness.extras import require

GROUPS = pd.DataFrame(
    {"rows": [10, 20], "least": [0, 5], "most": [4, 9], "auc": [0.6, 0.8]}
)


@pytest.fixture
def drawn(monkeypatch):
    """`{file name: axes}` of what was drawn."""
    axes, write = {}, figures._write

    def remembered(figure, path):
        axes[path.name] = figure.axes[0]
        write(figure, path)

    monkeypatch.setattr(figures, "_write", remembered)
    return axes


def test_routes_are_plotted_by_layer_and_by_field(tmp_path, drawn):
    shares = pd.DataFrame(
        {"user_embedding": [0.2, 0.4], "deep_0": [1.0, 0.5], "deep_1": [0.0, 0.0]}
    )
    paths = figures.route_figures(shares, tmp_path)
    assert [path.name for path in paths] == [
        "routes_by_layer.png",
        "routes_by_field.png",
    ]
    layers = drawn["routes_by_layer.png"]
    found = [bar.get_width() for bar in layers.patches]
    np.testing.assert_allclose(found, [0.75, 0.0, 0.25, 1.0])  # Frozen, then tuned.
    assert [t.get_text() for t in layers.get_yticklabels()] == ["deep_0", "deep_1"]
    fields = drawn["routes_by_field.png"]
    assert [t.get_text() for t in fields.get_yticklabels()] == ["user"]
    assert layers.get_xlabel() == "share of the instances"
    assert imread(paths[0]).std() > 0.01


def test_a_model_without_embeddings_has_no_figure_by_field(tmp_path):
    (path,) = figures.route_figures(pd.DataFrame({"deep_0": [0.5]}), tmp_path)
    assert path.name == "routes_by_layer.png"
    assert [file.name for file in tmp_path.iterdir()] == ["routes_by_layer.png"]


def test_frequency_figure_shows_every_group_of_every_row(tmp_path, drawn):
    better = GROUPS.assign(auc=[0.7, np.nan])
    path = tmp_path / "users.png"
    figures.frequency_figure({"Fine-Tune": GROUPS, "AutoFT": better}, "user", path)
    axes = drawn["users.png"]
    found = [list(line.get_ydata()) for line in axes.lines]
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.7, np.nan]])
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert ticks == ["0–4\n10 rows", "5–9\n20 rows"]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["Fine-Tune", "AutoFT"]


def test_curves_count_epochs_from_one_and_label_each_row_once(tmp_path, drawn):
    curves = {"AutoFT": [[0.6, 0.7], [0.5]], "Fine-Tune": [[0.8]]}
    figures.curve_figure(curves, tmp_path / "curves.png")
    lines = drawn["curves.png"].lines[::2]  # Each is followed by its best epoch.
    assert [list(line.get_ydata()) for line in lines] == [[0.6, 0.7], [0.5], [0.8]]
    assert list(lines[0].get_xdata()) == [1, 2]
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    texts = drawn["curves.png"].get_legend().get_texts()
    names = [text.get_text().partition(",")[0] for text in texts]
    assert names == ["AutoFT", "Fine-Tune"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda folder: figures.route_figures(pd.DataFrame(), folder),
        lambda folder: figures.frequency_figure({}, "user", folder / "a.png"),
        lambda folder: figures.curve_figure({}, folder / "a.png"),
    ],
)
def test_without_results_the_figure_error_says_which_command_to_run(draw, tmp_path):
    with pytest.raises(ValueError, match="Fix: run"):
        draw(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failed_plot_keeps_the_old_figure(tmp_path):
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        figures.curve_figure({"AutoFT": [None]}, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_comparison_averages_groups_over_seeds(tmp_path, drawn):
    other = GROUPS.assign(auc=[0.8, 0.8])
    runs = pd.DataFrame(
        {
            "row": ["all-autoft"] * 2,
            "title": ["All-AutoFT"] * 2,
            "group": ["all"] * 2,
            "routes": [{"deep_0": 0.5}, {"deep_0": 0.7}],
            "user_groups": [GROUPS.to_dict("list"), other.to_dict("list")],
            "item_groups": [GROUPS.to_dict("list")] * 2,
            "curve": [[0.5, 0.6], [0.5]],
        }
    )
    views.draw(runs, tmp_path)
    (line,) = drawn["all_auc_by_user_frequency.png"].lines
    np.testing.assert_allclose(line.get_ydata(), [0.7, 0.8])
    (frozen, _) = drawn["routes_by_layer.png"].patches
    assert frozen.get_width() == pytest.approx(0.6)
    assert {path.name for path in tmp_path.iterdir()} == {
        "all-autoft",
        "all_auc_by_user_frequency.png",
        "all_auc_by_item_frequency.png",
        "all_curves.png",
    }


def test_a_program_says_what_to_install_before_it_computes():
    require("numpy")
    with pytest.raises(SystemExit, match=r"without nonsense.\nFix: .*\[pipelines\]"):
        require("numpy", "nonsense")
