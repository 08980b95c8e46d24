"""Tuning under one budget, result lines, progress, AUC by frequency."""

import collections
import json

import keras
import numpy as np
import pandas as pd
import pytest

import tf_ctr
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.runs import Settings
from pipelines.harness.scoring import auc_by_frequency
from pipelines.harness.trials import Trial, candidates, tune
from tf_ctr.datasets.domains import Splits

SETTINGS = Settings(
    embedding_dim=2,
    hidden_units=(4,),
    num_cross_layers=1,
    batch_size=100,
    epochs=2,
    patience=2,
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
    learning_rates=(0.01,),
)
SPACE = {
    "learning_rate": (0.1, 0.2, 0.3),
    "dropout": (0.0, 0.5),
    "rank": (4, 8, 16),
}


def points(trials):
    return [
        (t.settings.learning_rates[0], t.settings.dropout, t.arguments["rank"])
        for t in trials
    ]


def test_the_first_candidate_is_the_default_and_none_repeats():
    tried = points(candidates(SETTINGS, SPACE, budget=6))
    assert tried[0] == (0.1, 0.0, 4)
    assert len(set(tried)) == 6


def test_each_value_is_tried_as_often_as_the_others():
    tried = points(candidates(SETTINGS, SPACE, budget=6, seed=3))
    for column, often in zip(zip(*tried, strict=True), (2, 3, 2), strict=True):
        assert set(collections.Counter(column).values()) == {often}


def test_all_points_are_tried_if_the_budget_allows():
    tried = points(candidates(SETTINGS, SPACE, budget=100))
    assert len(tried) == len(set(tried)) == 18


def test_settings_outside_the_space_stay():
    (trial,) = candidates(SETTINGS, {}, budget=3)
    assert trial == Trial(SETTINGS)


@pytest.mark.parametrize(
    ("space", "budget"), [(SPACE, 0), ({"rank": ()}, 2)], ids=["budget", "no values"]
)
def test_an_empty_search_space_is_an_error(space, budget):
    with pytest.raises(ValueError, match="at least one trial"):
        candidates(SETTINGS, space, budget)


@pytest.fixture
def splits():
    frame = pd.DataFrame({"item": ["a", "b"] * 100, "click": [1, 0] * 100})
    frame.loc[:9, "click"] = 1 - frame.loc[:9, "click"]
    return Splits(frame, frame, frame)


def test_tune_keeps_the_best_on_validation_and_lists_its_trials(splits, tmp_path):
    schema = tf_ctr.Schema([tf_ctr.Categorical("item")], label="click")
    schema.fit(splits.train)
    built = []

    def build(settings, start):
        built.append((settings.dropout, start))
        ids = schema.inputs()["item"]
        table = keras.initializers.Constant([[0.0], [0.0], [-start], [start]])
        logit = tf_ctr.layers.Embedding(4, 1, table, name="item_embedding")(ids)
        click = keras.layers.Activation("sigmoid", name="click")(logit)
        return keras.Model({"item": ids}, click)

    trials = [
        Trial(SETTINGS, {"start": 3.0}),  # Clicks on the wrong item, for long.
        Trial(SETTINGS, {"start": -3.0}),
    ]
    model, record = tune(build, splits, schema, trials, 0, tmp_path)
    assert built == [(0.0, 3.0), (0.0, -3.0)]
    assert (record["trial"], record["chosen"]["start"]) == (1, -3.0)
    aucs = [one["validation_auc"] for one in record["tried"]]
    assert aucs == pytest.approx([0.05, 0.95])
    assert record["validation_auc"] == aucs[1]
    first, second = model.get_weights()[0][2:, 0]
    assert first > second
    # Taken from disk: the same record, nothing trained.
    again = tune(build, splits, schema, trials, 0, tmp_path)[1]
    assert again == record


# Result lines


def test_results_are_loaded_again(tmp_path):
    path = tmp_path / "runs" / "results.jsonl"
    lines = ResultLines(path)
    lines.append({"row": "a", "seed": 0, "auc": 0.5})
    lines.append({"row": "a", "seed": 1, "auc": 0.7})
    found = ResultLines(path)
    assert found.has(row="a", seed=1)
    assert not found.has(row="b", seed=1)
    assert found.frame()["auc"].tolist() == [0.5, 0.7]
    assert [json.loads(line)["seed"] for line in path.read_text().splitlines()] == [
        0,
        1,
    ]


def test_results_that_were_made_in_another_way_are_refused(tmp_path):
    lines = ResultLines(tmp_path / "results.jsonl")
    lines.append({"row": "a", "settings": {"units": (4, 2)}})
    lines.append({"row": "b", "settings": None})
    lines.require({"row": "a"}, {"settings": {"units": (4, 2)}})
    lines.require({"row": "c"}, {"settings": {"units": (8,)}})
    with pytest.raises(ValueError, match="or another --run-dir"):
        lines.require({"row": "a"}, {"settings": {"units": (8,)}})
    with pytest.raises(ValueError, match="None"):
        lines.require({}, {"settings": {"units": (4, 2)}})


def test_an_invalid_json_line_is_named_in_the_error(tmp_path):
    (tmp_path / "results.jsonl").write_text('{"row": "a"}\n{"row": \n')
    with pytest.raises(ValueError, match="line 2"):
        ResultLines(tmp_path / "results.jsonl")


def test_a_record_that_is_not_json_keeps_the_earlier_records(tmp_path):
    lines = ResultLines(tmp_path / "results.jsonl")
    lines.append({"row": "a"})
    with pytest.raises(TypeError, match="JSON"):
        lines.append({"row": object()})
    assert ResultLines(tmp_path / "results.jsonl").records == [{"row": "a"}]


def test_provenance_names_versions_and_commit():
    source = provenance()
    assert source["versions"]["keras"] == keras.__version__
    assert source["commit"] is None or len(source["commit"].rstrip("+")) == 40


# Progress


def test_time_left_counts_only_the_runs_of_this_start():
    now, shown = iter([0.0, 60.0, 180.0]), []
    progress = Progress(total=5, done=2, clock=lambda: next(now), show=shown.append)
    progress.step("first")
    progress.step("second")
    assert shown == [
        "[3/5, 0:01:00 passed, about 0:02:00 left] first",
        "[4/5, 0:03:00 passed, about 0:01:30 left] second",
    ]


# Groups


def test_groups_are_ranked_by_frequency_in_training():
    # User u is in training u times; user 0 never.
    known = np.repeat([1, 2, 3], [1, 2, 3])
    users = np.repeat([0, 1, 2, 3], 2)
    labels = np.array([1, 0] * 4)
    scores = np.array([0.9, 0.1, 0.1, 0.9, 0.9, 0.1, 0.9, 0.2])
    groups = auc_by_frequency(labels, scores, users, known, groups=2)
    assert groups["rows"].tolist() == [4, 4]
    assert groups["least"].tolist() == [0, 2]
    assert groups["most"].tolist() == [1, 3]
    # Group 0: positives .9 and .1, negatives .1 and .9: 1 win, 2 ties, 1 loss.
    assert groups["auc"].tolist() == [0.5, 1.0]


def test_the_metrics_of_a_group_of_one_class_are_undefined():
    groups = auc_by_frequency(
        [1, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], list("aabb"), list("abb"), 2
    )
    assert np.isnan(groups["auc"][0])
    assert groups["auc"][1] == 1.0
