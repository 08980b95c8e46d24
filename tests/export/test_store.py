"""A model's directory that several processes change at the same time."""

import concurrent.futures
import json
import os

import pandas as pd
import pytest

from tf_ctr.export import server_files
from tf_ctr.export.server_files import publish_configured
from tf_ctr.serving.labels import promotion, removal, versions
from tf_ctr.serving.labels.history import read_history
from tf_ctr.serving.labels.models_config import read_labels, write_labels
from tf_ctr.serving.labels.moves import label_newest, read_files
from tf_ctr.serving.labels.promotion import promote, rollback
from tf_ctr.serving.labels.versions import locked, next_version, publish, staging

ROWS = pd.DataFrame()


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Versions 1 to 3 without files, and a gate that all of them pass."""
    for version in "123":
        (tmp_path / "rates" / version).mkdir(parents=True)
    write_labels(tmp_path / "rates", {"stable": 1, "canary": 3})
    monkeypatch.setattr(promotion, "require_conformant", lambda *_, **__: [])
    monkeypatch.setattr(promotion, "measure", lambda *_: [])
    return tmp_path / "rates"


def content(directory):
    return {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def staged(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "saved_model.pb").touch()
    return tmp_path / name


def during_the_gate(monkeypatch, act):
    """Has another process call `act` while the gate is measured."""

    def measure(*_):
        monkeypatch.setattr(promotion, "measure", lambda *_: [])
        act()
        return []

    monkeypatch.setattr(promotion, "measure", measure)


def test_an_export_during_the_gate_keeps_its_label(store, monkeypatch):
    def export():
        (store / "4").mkdir()
        label_newest(store)

    during_the_gate(monkeypatch, export)
    assert promote(store, ROWS, 2).moved
    assert read_labels(store) == {"stable": 2, "canary": 3}
    assert read_files(store).pending == {"canary": 4}


def test_a_promotion_during_the_gate_is_not_undone(store, monkeypatch):
    during_the_gate(monkeypatch, lambda: promote(store, ROWS, 3))
    with pytest.raises(RuntimeError, match="stable to stay at version 1(.|\n)*at 3"):
        promote(store, ROWS, 2)
    assert read_labels(store) == {"stable": 3, "canary": 3}
    assert [each["to"] for each in read_history(store)] == [3]


def test_a_promotion_during_a_rollback_is_not_undone(store, monkeypatch):
    promote(store, ROWS, 2)

    def check(_, **__):
        monkeypatch.setattr(promotion, "require_conformant", lambda *_, **__: [])
        promote(store, ROWS, 3)

    monkeypatch.setattr(promotion, "require_conformant", check)
    with pytest.raises(RuntimeError, match="stable to stay at version 2"):
        rollback(store)
    assert read_labels(store)["stable"] == 3


def history(store):
    return (store / "promotions.json").read_text()


def test_simultaneous_promotions_are_all_kept(store):
    labels = [f"group-{i}" for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda label: promote(store, ROWS, 2, label), labels))
    assert read_labels(store) == {"stable": 1, "canary": 3}
    assert read_files(store).pending == dict.fromkeys(labels, 2)
    assert sorted(each["label"] for each in read_history(store)) == sorted(labels)


def test_simultaneous_exports_end_with_the_newest_as_canary(tmp_path):
    folders = [staged(tmp_path, f"staged-{i}") for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda f: publish_configured(f, tmp_path / "m"), folders))
    assert sorted(int(version.name) for version in made) == list(range(1, 13))
    files = read_files(tmp_path / "m")
    assert files.labels == {"stable": 1, "canary": 1}
    assert files.pending == {"canary": 12}
    assert not (tmp_path / "m" / ".lock").exists()


def test_a_change_by_another_process_is_refused_after_a_while(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr(versions, "PATIENCE", 0.05)
    before = content(store)
    for change in (
        lambda: promote(store, ROWS, 2),
        lambda: publish_configured(staged(tmp_path, "new"), store),
    ):
        with locked(store), concurrent.futures.ThreadPoolExecutor(1) as pool:
            error = pool.submit(change).exception()
        assert isinstance(error, TimeoutError) and "held by another" in str(error)
    assert content(store) == before and not (store / "4").exists()


def test_the_lock_of_a_process_that_was_killed_is_taken_over(store, capsys):
    (store / ".lock").write_text("process 7 on host")
    promote(store, ROWS, 2)
    assert "taken over: process 7 on host left it" in capsys.readouterr().out
    assert not (store / ".lock").exists()


def test_the_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text())["process"] == os.getpid()
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_cannot_write_labels_leaves_no_version(
    store, tmp_path, monkeypatch
):
    def fail(_):
        raise OSError("disk full")

    before = content(store)
    monkeypatch.setattr(server_files, "label_newest", fail)
    for directory in (store, tmp_path / "new"):
        folder = staged(tmp_path, f"of-{directory.name}")
        with pytest.raises(OSError, match="disk full"):
            publish_configured(folder, directory)
        assert (folder / "saved_model.pb").exists()
        assert not (directory / ("4" if directory == store else "1")).exists()
    assert read_labels(store) == {"stable": 1, "canary": 3}
    assert before.items() <= content(store).items()


def test_a_renamed_directory_does_not_lose_its_stable_version(store):
    renamed = store.rename(store.with_name("other"))
    before = content(renamed)
    for call in (
        lambda: promote(renamed, ROWS, 2),
        lambda: rollback(renamed),
        lambda: label_newest(renamed),
    ):
        with pytest.raises(ValueError, match="the model 'other'(.|\n)*\\['rates'\\]"):
            call()
    assert content(renamed) == before


@pytest.mark.parametrize("label", ["", "a/b", "a b", "a:b"])
def test_a_label_that_no_request_can_name_is_refused(store, label):
    before = content(store)
    with pytest.raises(ValueError, match="a label of letters"):
        promote(store, ROWS, 2, label)
    assert content(store) == before


def test_the_leftovers_of_a_killed_removal_are_removed(store, monkeypatch):
    monkeypatch.setattr(removal, "GRACE", 0)
    (store / ".removed-1" / "variables").mkdir(parents=True)
    promote(store, ROWS, 2)
    # 2 was stable before, and a server may not have read the file yet.
    assert promote(store, ROWS, 3, keep=1).removed == [1]
    assert (store / "2").exists()
    assert not list(store.glob(".removed-*"))


def test_a_version_has_the_permissions_of_a_new_directory(tmp_path):
    (tmp_path / "plain").mkdir()
    with staging(tmp_path / "m") as workspace:
        (workspace / "version").mkdir()
        version = publish(workspace / "version", tmp_path / "m")
    assert version.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_next_version_of_a_missing_directory_is_one(tmp_path):
    assert next_version(tmp_path / "missing") == 1


def test_simultaneous_exports_take_different_numbers(tmp_path):
    def publish_one(i):
        with staging(tmp_path / "m") as workspace:
            (workspace / "version").mkdir()
            (workspace / "version" / "saved_model.pb").write_text(str(i))
            return publish(workspace / "version", tmp_path / "m")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(publish_one, range(40)))
    assert sorted(int(v.name) for v in made) == list(range(1, 41))
    written = {int((v / "saved_model.pb").read_text()) for v in made}
    assert written == set(range(40))


def test_another_error_of_the_rename_is_not_retried(tmp_path):
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "missing", tmp_path / "m")
