"""The folder of a run, and the models that other runs take from it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from tests.support.continual_world import fitted, network
from tf_ctr.continual import Period
from tf_ctr.continual.origins import PeriodModels, origin
from tf_ctr.continual.store import Finished, Store
from tf_ctr.files import DamagedError, checksum


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


def test_a_model_of_the_future_is_not_found_by_the_letters_of_its_end(tmp_path):
    store = Store(tmp_path)
    store.add(record(0, "2022-04-25T02:00+00:00"))
    assert store.latest("2022-04-25T09:00+09:00") is None  # At 0:00 in UTC.
    assert store.latest("2022-04-25T11:00+09:00")["number"] == 0
    assert store.latest("2022-04-25T11:00+09:00", before=True) is None
    with pytest.raises(TypeError, match="without an offset"):
        store.latest("2022-04-26")
    with pytest.raises(ValueError, match="as an ISO date"):
        store.latest("2022-9-30")


def test_the_leftovers_of_a_killed_process_are_not_a_period(tmp_path):
    store = Store(tmp_path)
    partial = tmp_path / ".000000.partial"
    partial.mkdir()
    (partial / "model.keras").write_text("half")
    assert store.records() == []
    store.add(record(0))
    assert [path.name for path in tmp_path.iterdir()] == ["000000"]
    names = sorted(path.name for path in (tmp_path / "000000").iterdir())
    assert names == ["manifest.json", "record.json"]


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
        pytest.raises(
            ValueError, match=r"(?s)a finished source.*end at \[\], .*0: sch"
        ),
    ):
        PeriodModels(tmp_path, "source").load(9)


def test_an_unreadable_record_raises_or_is_skipped(tmp_path):
    store = Store(tmp_path)
    for number in (0, 1):
        store.add(record(number))
    (tmp_path / "000001" / "record.json").write_text("")
    (tmp_path / "000001.old").mkdir()
    assert store.numbers() == [0, 1]
    with pytest.raises(ValueError, match="(?s)period 1 in.*record.json with 0 bytes"):
        store.records()
    with pytest.warns(UserWarning, match="record.json with 0 bytes"):
        assert store.latest()["number"] == 0


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a run with one period, and a function that copies it."""
    folder = tmp_path_factory.mktemp("saved")
    seen = {"item": pd.Series([5, 6])}
    finished = Finished(network(fitted()), fitted(), seen, 0, np.zeros(3))
    Store(folder).add({**record(0), "name": "day 0"}, finished)
    return folder


def test_a_changed_record_is_not_believed(saved, tmp_path):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "000000" / "record.json"
    file.write_text(file.read_text().replace('"end": 0', '"end": 1'))
    with pytest.raises(DamagedError, match="(?s)record.json.*recomputes period 0"):
        Store(tmp_path).records()


@pytest.mark.parametrize("name", ["manifest.json", "model.keras", "schema.json"])
def test_a_removed_file_is_an_error(saved, tmp_path, name):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    (tmp_path / "000000" / name).unlink()
    with pytest.raises(DamagedError, match=f"(?s)period 0 in.*{name}"):
        Store(tmp_path).load({"number": 0})
    assert not Store(tmp_path).is_intact({"number": 0, "trained": True})
    if name == "manifest.json":
        with pytest.raises(DamagedError, match="no manifest.json"):
            Store(tmp_path).records()


def of_0_2(saved, folder):
    """Makes a folder as version 0.2 wrote it, and returns its sums."""
    shutil.copytree(saved, folder, dirs_exist_ok=True)
    period = folder / "000000"
    (period / "manifest.json").unlink()
    values = json.loads((period / "record.json").read_text())
    del values["format"]
    (period / "record.json").write_text(json.dumps(values))
    names = [path.name for path in period.iterdir() if path.name != "record.json"]
    return {name: checksum(period / name) for name in names}


def test_a_model_of_0_2_needs_its_sums(saved, tmp_path):
    sums = of_0_2(saved, tmp_path)
    file = tmp_path / "000000" / "checksums.json"
    file.write_text(json.dumps(sums))
    store, one = Store(tmp_path), {"number": 0, "trained": True}
    assert list(store.load(one).seen["item"]) == [5, 6]
    assert store.is_intact(one) and store.records()[0]["name"] == "day 0"
    file.write_text(json.dumps({n: s for n, s in sums.items() if n != "model.keras"}))
    with pytest.raises(DamagedError, match="without the sum of model.keras"):
        store.load(one)
    assert not store.is_intact(one)
    for text in ("", "[]"):
        file.write_text(text)
        with pytest.raises(DamagedError, match="checksums.json, which cannot be read"):
            store.load(one)
    file.unlink()
    with pytest.raises(DamagedError, match="no manifest.json"):
        store.load(one)
    assert not store.is_intact(one)


def test_other_settings_raise_and_the_error_shows_the_difference(tmp_path):
    store = Store(tmp_path)
    store.check_settings({"seed": 1})
    store.add(record(0, seed=1, window=2))
    store.check_settings({"seed": 1, "window": 2})
    with pytest.raises(ValueError, match=r"(?s)run with.*'seed': 1.*: \{'seed': 3\}"):
        store.check_settings({"seed": 3, "window": 2})


def test_without_a_source_model_in_time_the_error_lists_the_others(tmp_path):
    finished = Finished(network(fitted()), fitted(), number=0)
    Store(tmp_path).add(record(0, end=9), finished)
    with pytest.raises(ValueError, match=r"(?s)ends by 8.*end at \[9\]"):
        PeriodModels(tmp_path, "source").load(8)
    with pytest.raises(ValueError, match="does not exist"):
        origin(tmp_path / "none", None, "source")
    with pytest.raises(ValueError, match="schema of the target"):
        origin(network(fitted()), None, "target")
    with pytest.raises(TypeError, match="Received: int"):
        origin(3, None, "source")
