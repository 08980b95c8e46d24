"""Unusual days are told, and models that became worse are not published."""

import numpy as np
import pandas as pd
import pytest

from tests.support.continual_world import TRAINING, fitted, frame, network, periods
from tf_ctr import Categorical, Numeric, Schema
from tf_ctr.continual import ExportCallback, GuardCallback, Period, run
from tf_ctr.continual.odd_days import odd_rows
from tf_ctr.continual.origins import PeriodModels
from tf_ctr.continual.store import Store
from tf_ctr.ecdctr.exchange import ExportSnapshots
from tf_ctr.ecdctr.snapshots import SnapshotStore

# Odd rows

SCHEMA = Schema([Categorical("item", list(range(10))), Numeric("price")])


def rows(number=200, **columns):
    rng = np.random.default_rng(0)
    made = pd.DataFrame(
        {
            "item": rng.integers(0, 10, number),
            "price": rng.random(number),
            "click": rng.integers(0, 2, number),
        }
    )
    return made.assign(**columns)


def measured(number):
    return {"trained": True, "test": {"rows": number}, "rows_trained": 7 * number}


@pytest.mark.parametrize(
    "made, line",
    [
        (rows(), None),
        (rows(price=np.nan), "the column 'price' has no value"),
        (rows(price=3.0), "the column 'price' is constant"),
        (rows(99, price=3.0), None),  # Of few rows it may be so by chance.
        (rows(item=3), "the column 'item' is constant"),
        (rows(click=1), "all rows have the label click=1: AUC is undefined"),
        (rows(2000), "2,000 rows, where 200 are usual"),
        (rows(1999), None),
        (rows().drop(columns="click"), None),  # The training refuses them.
    ],
)
def test_what_is_unusual_about_rows_is_said(made, line):
    records = [measured(190), {"trained": False, "test": None}, measured(210)]
    assert odd_rows(made, SCHEMA, SCHEMA, records) == [line] * (line is not None)


def test_a_vocabulary_that_grows_tenfold_is_said():
    grown = Schema([Categorical("item", list(range(100))), Numeric("price")])
    found = odd_rows(rows(), SCHEMA, grown, [])
    assert found == ["the ids of 'item' grow 10fold"]
    less = Schema([Categorical("item", list(range(99))), Numeric("price")])
    assert odd_rows(rows(), SCHEMA, less, []) == []


def test_what_is_unusual_about_a_column_is_said_once_in_a_run():
    odd = rows(price=3.0, click=0)
    first = odd_rows(odd, SCHEMA, SCHEMA, [])
    assert len(first) == 2
    again = odd_rows(odd, SCHEMA, SCHEMA, [{**measured(200), "odd": first}])
    assert again == ["all rows have the label click=0: AUC is undefined"]


# Guards


def record(auc=0.8, **known):
    return {"test": {"auc": auc, "calibration": 1.0}, **known}


def guarded(guard, scores, before, monkeypatch, labels=(0, 1, 0, 1)):
    """Returns the record of a period whose model gives scores."""
    schema = fitted()
    data = frame(len(labels)).assign(click=labels)
    monkeypatch.setattr(
        "tf_ctr.continual.guards.predict_by_label",
        lambda *_: {"click": np.array(scores)},
    )
    guard.on_period_end(Period(3, data), None, schema, before)
    return before


def test_a_model_that_became_worse_is_held_back(monkeypatch, capsys):
    # Two of four pairs of a click and none are in order: AUC 0.5.
    scores = [0.4, 0.6, 0.6, 0.4]
    found = guarded(GuardCallback(0.1), scores, record(0.8), monkeypatch)
    assert "auc falls from 0.8000 to 0.5000, by over 0.1" in found["held"]
    assert "period 3 (3) is held back" in capsys.readouterr().out
    assert "held" not in guarded(GuardCallback(0.1), scores, record(0.6), monkeypatch)
    assert "held" not in guarded(GuardCallback(None), scores, record(), monkeypatch)


def test_the_guard_of_calibration_needs_no_model_before(monkeypatch):
    scores = [0.1, 0.2, 0.1, 0.2]  # A sum of 0.6 for two clicks.
    found = guarded(GuardCallback(), scores, {"test": None}, monkeypatch)
    assert found["held"] == "calibration 0.3000 is farther from 1 than 0.2"
    guard = GuardCallback(max_calibration_drift=0.8)
    assert "held" not in guarded(guard, scores, {"test": None}, monkeypatch)


def test_a_model_that_scores_a_constant_is_always_held_back(monkeypatch):
    guard = GuardCallback(None, None)
    found = guarded(guard, [0.5] * 4, {"test": None}, monkeypatch)
    assert found["held"] == "it scores all 4 rows alike"


def test_limits_are_positive_and_the_guard_comes_first(monkeypatch):
    drifts = [{"max_calibration_drift": each} for each in (float("nan"), "0.1")]
    for limits in ({"max_auc_drop": 0}, *drifts):
        with pytest.raises(ValueError, match=f"`{next(iter(limits))}` as a positive"):
            GuardCallback(**limits)
    with pytest.raises(ValueError, match="before the callbacks that publish"):
        guarded(GuardCallback(), [0.5] * 4, record(exported="1"), monkeypatch)


def test_a_run_publishes_no_model_that_is_held_back(tmp_path, capsys):
    schema, exported = fitted(), []

    class Second(GuardCallback):
        def on_period_end(self, period, model, schema, record):
            if period.number == 1:
                record["held"] = "of a test"

    run(
        periods(0, 1),
        tmp_path / "run",
        target=network(schema),
        schema=schema,
        method="target_only",
        training=TRAINING,
        callbacks=[
            Second(),
            ExportCallback(lambda model, schema: exported.append(model) or "1"),
            ExportSnapshots(SnapshotStore(tmp_path / "tpm"), ["item"]),
        ],
    )
    assert len(exported) == 1 and SnapshotStore(tmp_path / "tpm").dates() == [0]
    assert Store(tmp_path / "run").numbers() == [0, 1]
    # Another run takes the model before it.
    with pytest.warns(UserWarning, match="it was held back, because of a test"):
        assert PeriodModels(tmp_path / "run", "source").number(5) == 0
    # A period that is older than the last one by its end.
    with pytest.raises(ValueError, match="(?s)end one after another.*-5.*at 1"):
        run(
            [Period(2, frame(), end=-5)],
            tmp_path / "run",
            target=network(schema),
            schema=schema,
            method="target_only",
            training=TRAINING,
        )
