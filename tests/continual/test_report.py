"""Metrics, slices, matrix and gains against hand-computed numbers."""

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tf_ctr.continual import Report, measuring
from tf_ctr.continual import report as report_module
from tf_ctr.continual.measuring import measure, with_seen
from tf_ctr.continual.report import Scalars
from tf_ctr.features import Categorical, Schema

ROWS = pd.DataFrame({"user": list("aabbcc"), "click": [0, 1, 1, 0, 1, 1]})
SCORES = np.array([0.1, 0.9, 0.2, 0.8, 0.5, 0.5])


@pytest.fixture
def measured(monkeypatch):
    monkeypatch.setattr(measuring, "predict_by_label", lambda *_: {"click": SCORES})
    schema = Schema([Categorical("user")], group="user").fit(ROWS)
    seen = {"user": pd.Series(["a", "z"])}
    return measure(None, ROWS, schema, seen, ["user"])


def test_metrics_cover_all_rows(measured):
    # Of the 8 pairs of a click and another row, the click with 0.9 wins two, those with
    # 0.2, 0.5 and 0.5 one each.
    assert measured["auc"] == 5 / 8
    # User a is ranked right, b wrong, and c has only one label.
    assert (measured["gauc"], measured["undefined"]) == (0.5, [])
    assert (measured["groups_used"], measured["groups_skipped"]) == (2, 1)


def test_new_and_old_users_are_measured_separately(measured):
    old, new = (measured["slices"]["user"][part] for part in ("old", "new"))
    assert (old["rows"], old["auc"], old["gauc"]) == (2, 1.0, 1.0)
    assert (new["rows"], new["auc"], new["gauc"]) == (4, 0.0, 0.0)


def test_a_slice_without_rows_has_no_metrics(monkeypatch):
    monkeypatch.setattr(measuring, "predict_by_label", lambda *_: {"click": SCORES})
    schema = Schema([Categorical("user")]).fit(ROWS)
    found = measure(None, ROWS, schema, {"user": ROWS["user"]}, ["user"])
    assert found["slices"]["user"]["new"] == {"rows": 0}
    assert found["slices"]["user"]["old"]["rows"] == 6
    assert "gauc" not in found


def test_seen_values_grow_without_repeats():
    seen = with_seen({}, ROWS, ["user"])
    assert seen["user"].tolist() == ["a", "b", "c"]
    more = with_seen(seen, pd.DataFrame({"user": list("cad")}), ["user"])
    assert more["user"].tolist() == ["a", "b", "c", "d"]


def record(number, auc=None, until=None, matrix=None, gauc=0.5):
    test = None
    if until is not None:
        known = {"rows": 10, "auc": auc, "gauc": gauc, "log_loss": 0.6}
        undefined = [name for name, value in known.items() if value is None]
        old = {"rows": 4, "auc": 0.5, "undefined": []}
        parts = {"user": {"new": {"rows": 0}, "old": old}}
        test = {"trained_until": until, **known, "slices": parts}
        test["undefined"] = undefined
    return {
        "number": number,
        "name": f"day {number}",
        "test": test,
        "trained": True,
        "rows_trained": 1234,
        "seconds": 1.25,
        "source": None,
        **({} if matrix is None else {"matrix": matrix}),
    }


@pytest.fixture
def report():
    cells = [{"0": {"auc": 0.9}, "2": {"auc": 0.6}}, {"0": {"auc": 0.8}}]
    return Report(
        [
            record(0, matrix=cells[0]),
            record(1, 0.7, until=0, matrix=cells[1]),
            record(2, 0.65, until=1),
        ]
    )


def test_the_matrix_has_all_tests(report):
    matrix = report.matrix()
    assert matrix.index.name == "trained_until" and matrix.columns.name == "tested_on"
    np.testing.assert_array_equal(matrix, [[0.9, 0.7, 0.6], [0.8, np.nan, 0.65]])


def test_an_unknown_metric_raises_with_the_valid_ones(report):
    with pytest.raises(ValueError, match="(?s)'acu'.*auc, gauc, log_loss"):
        report.matrix("acu")
    del report.records[1]["test"]["gauc"]
    with pytest.raises(ValueError, match="(?s)'gauc'.*one of: auc, log_loss"):
        report.matrix("gauc")


def test_gains_are_differences_by_period(report):
    base = Report(
        [record(0), record(2, 0.6, until=0, gauc=None), record(3, 0.9, until=2)]
    )
    gains = report.gains(base)
    assert gains.index.tolist() == [2]
    assert gains.loc[2, "auc"] == pytest.approx(0.05)
    assert np.isnan(gains.loc[2, "gauc"]) and gains.loc[2, "log_loss"] == 0


def test_a_run_without_tests_has_no_gains(report):
    assert Report([record(0)]).gains(report).empty
    assert Report([record(0)]).to_markdown() == "No period was tested."


def test_each_slice_has_a_line(report):
    lines = report.slices
    assert lines["part"].tolist() == ["new", "old"] * 2
    assert lines["column"].unique().tolist() == ["user"]
    assert lines["auc"].isna().tolist() == [True, False] * 2


def test_a_line_and_a_table_show_the_metrics(report):
    line = "period 1 (day 1): auc 0.7000, gauc 0.5000, log_loss 0.6000; "
    assert report.line(report.records[1]) == (f"{line}trained on 1,234 rows in 1.2 s")
    head, _, first, second, _ = report.to_markdown().splitlines()
    assert head == "| period | trained until | rows | AUC | GAUC | LogLoss |"
    assert first == "| day 0 | not tested, the first one | | | | |"
    assert second == "| day 1 | 0 | 10 | 0.7000 | 0.5000 | 0.6000 |"


def test_undefined_metrics_are_named():
    (line,) = Report([record(1, None, until=0)]).frame.to_dict("records")
    assert np.isnan(line["auc"]) and line["undefined"] == "auc"


def test_tensorboard_has_the_curves_and_the_matrix_as_pictures(report, tmp_path):
    scalars = Scalars(tmp_path / "board", report.records)
    scalars.draw(report)  # The tests have no matplotlib: see `tests/conftest.py`.
    assert not _images(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_module, "_has_matplotlib", lambda: True)
        scalars.draw(report)
    assert _images(tmp_path) == [
        "forgetting_auc",
        "prequential_auc",
        "prequential_auc_by_slice",
    ]


def _images(folder):
    events = EventAccumulator(str(folder / "board" / "all"))
    tags = events.Reload().Tags()["tensors"]
    return sorted(tag for tag in tags if "/" not in tag)


def test_a_report_is_short_as_text_and_a_table_in_a_notebook(report):
    assert repr(report) == "Report(3 periods, 2 tested, mean AUC 0.6750)"
    shown = report._repr_html_()
    assert shown.startswith(f"<p>{report!r}</p><table") and "0.65" in shown
    assert repr(Report([])) == "Report(0 periods, 0 tested)"
