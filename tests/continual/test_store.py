"""The folder of a run, and the models that other runs take from it."""

import pandas as pd
import pytest

from tests.support.continual_world import fitted, network
from tf_ctr.continual import Period
from tf_ctr.continual.origins import PeriodModels, origin
from tf_ctr.continual.store import Finished, Store


def record(number, end=None, trained=True, **settings):
    end = number if end is None else end
    return {"number": number, "end": end, "trained": trained, "settings": settings}


def test_the_store_finds_the_newest_model_that_is_ready(tmp_path):
    store = Store(tmp_path / "run")
    assert store.records() == [] and store.latest() is None
    for each in (record(0, 6), record(1, 13), record(2, 20, trained=False)):
        store.add(each)
    assert store.latest()["number"] == 1
    assert store.latest(end=13)["number"] == 1
    assert store.latest(end=13, before=True)["number"] == 0
    assert store.latest(end=12)["number"] == 0
    assert store.latest(end=5) is None
    with pytest.raises(TypeError, match="(?s)e.g. 13.*Received: '2026-01-01'"):
        store.latest(end="2026-01-01")


def test_the_leftovers_of_a_killed_process_are_not_a_period(tmp_path):
    store = Store(tmp_path)
    partial = tmp_path / ".000000.partial"
    partial.mkdir()
    (partial / "model.keras").write_text("half")
    assert store.records() == []
    store.add(record(0))
    assert [path.name for path in tmp_path.iterdir()] == ["000000"]
    assert [path.name for path in (tmp_path / "000000").iterdir()] == ["record.json"]


def test_a_period_that_another_process_saved_is_not_replaced(tmp_path):
    store = Store(tmp_path)
    store.add(record(0, seed=1))
    with pytest.raises(FileExistsError, match="only one process"):
        store.add(record(0, seed=2))
    assert store.records() == [record(0, seed=1)]
    assert [path.name for path in tmp_path.iterdir()] == ["000000"]


def test_a_model_is_used_only_when_it_is_ready(tmp_path):
    store = Store(tmp_path)
    store.add({**record(0, 4), "ready": 5.5})
    assert store.latest(5) is None
    assert store.latest(5.5)["number"] == 0
    assert store.latest(5.5, before=True)["number"] == 0
    assert Period(0, pd.DataFrame(), end=4).ready == 4


def test_a_damaged_model_is_skipped(tmp_path):
    store = Store(tmp_path)
    for number in (0, 1):
        finished = Finished(network(fitted()), fitted(), number=number)
        store.add({**record(number), "name": f"day {number}"}, finished)
    models = PeriodModels(tmp_path, "source")
    assert models.number(9) == models.load(9).number == 1
    (tmp_path / "000001" / "model.keras").write_bytes(b"half")
    assert models.number(9) == 1  # Checked once per run: it reads the whole model.
    models = PeriodModels(tmp_path, "source")
    with pytest.warns(UserWarning, match="source model of period day 1 .* is skipped"):
        assert models.number(9) == 0
    (tmp_path / "000000" / "schema.json").unlink()
    with (
        pytest.warns(UserWarning),
        pytest.raises(ValueError, match="a finished source"),
    ):
        PeriodModels(tmp_path, "source").load(9)


def test_an_unreadable_record_raises_or_is_skipped(tmp_path):
    store = Store(tmp_path)
    for number in (0, 1):
        store.add(record(number))
    (tmp_path / "000001" / "record.json").write_text("")
    (tmp_path / "000001.old").mkdir()
    assert store.numbers() == [0, 1]
    with pytest.raises(ValueError, match="(?s)000001/record.json: JSONDecodeError"):
        store.records()
    with pytest.warns(UserWarning, match="000001/record.json"):
        assert store.latest()["number"] == 0


def test_other_settings_raise_and_the_error_shows_the_difference(tmp_path):
    store = Store(tmp_path)
    store.check_settings({"seed": 1})
    store.add(record(0, seed=1, window=2))
    store.check_settings({"seed": 1, "window": 2})
    with pytest.raises(ValueError, match=r"(?s)run with.*'seed': 1.*: \{'seed': 3\}"):
        store.check_settings({"seed": 3, "window": 2})


def test_without_a_source_model_in_time_the_error_lists_the_others(tmp_path):
    Store(tmp_path).add(record(0, end=9))
    with pytest.raises(ValueError, match=r"(?s)ends by 8.*end at \[9\]"):
        PeriodModels(tmp_path, "source").load(8)
    with pytest.raises(ValueError, match="does not exist"):
        origin(tmp_path / "none", None, "source")
    with pytest.raises(ValueError, match="schema of the target"):
        origin(network(fitted()), None, "target")
    with pytest.raises(TypeError, match="Received: int"):
        origin(3, None, "source")
