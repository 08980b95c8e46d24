"""The store of dated snapshots: aligned by id, written whole or not at all."""

import json
import os
import shutil

import numpy as np
import pytest

from tests.support.continual_world import KilledError, dying
from tf_ctr import Categorical
from tf_ctr.ecdctr import SnapshotStore

ITEM = Categorical("item", [7, 9, 5])


def values(*numbers):
    return np.array([[n, -n] for n in numbers], "float32")


@pytest.fixture
def store(tmp_path):
    store = SnapshotStore(tmp_path / "snapshots")
    for date, ids in ((1, [9, 7]), (2, [5, 8]), (10, [9])):
        store.add(date, {"item": (ids, values(*[date * 100 + i for i in ids]))})
    return store


def test_rows_are_aligned_by_id(store):
    dates, embeddings, known = store.table(ITEM, 3)
    assert dates == (1, 2, 10)
    expected = [[0, 0, 0], [0, 0, 0], [107, 0, 0], [109, 0, 1009], [0, 205, 0]]
    np.testing.assert_array_equal(embeddings[..., 0], expected)
    np.testing.assert_array_equal(embeddings[..., 1], -np.array(expected))
    np.testing.assert_array_equal(known, np.array(expected) > 0)


def test_the_newest_snapshots_fill_the_last_places(store):
    assert store.table(ITEM, 2)[0] == (2, 10)
    assert store.table(ITEM, 2, until=9)[0] == (1, 2)
    dates, _, known = store.table(ITEM, 3, until=2)
    assert dates == (None, 1, 2)
    assert not known[:, 0].any()


def test_the_given_dates_are_read(store):
    dates, embeddings, known = store.table(ITEM, dates=(None, 1))
    assert dates == (None, 1)
    assert embeddings[2].tolist() == [[0, 0], [107, -107]]


def test_without_any_snapshot_nothing_is_known(tmp_path):
    dates, embeddings, known = SnapshotStore(tmp_path / "none").table(ITEM)
    assert dates == (None, None, None)
    assert embeddings.shape == (5, 3, 0) and not known.any()


def test_text_ids_and_iso_dates_are_accepted(tmp_path):
    field = Categorical("user", ["ann", "bob", "Zoë"])
    store = SnapshotStore(tmp_path)
    for date in ("2022-04-25T00:00", "2022-03-25T00:00"):
        store.add(date, {"user": (["Zoë"], values(3))})
    dates, embeddings, known = store.table(field, 2)
    assert dates == ("2022-03-25T00:00", "2022-04-25T00:00")
    assert known.any(axis=1).tolist() == [False, False, False, False, True]


def test_a_snapshot_of_the_same_date_is_replaced(store):
    store.add(10, {"item": ([7], values(1))})
    assert store.table(ITEM, 1)[1][:, 0, 0].tolist() == [0, 0, 1, 0, 0]
    assert sorted(p.name for p in store.directory.iterdir()) == ["1", "10", "2"]


def truncated(folder):
    file = folder / "item.parquet"
    file.write_bytes(file.read_bytes()[:-9])


def one_bit_wrong(folder):
    file = folder / "item.parquet"
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.write_bytes(content)


def without_a_file(folder):
    (folder / "item.parquet").unlink()


def without_manifest(folder):
    (folder / "manifest.json").unlink()


def another_date(folder):
    (folder / "snapshot.json").write_text('{"date": 11}')


def half_a_manifest(folder):
    (folder / "manifest.json").write_text('{"date": 1')


def no_checksums(folder):
    """As a snapshot of version 0.2 whose sums were removed."""
    (folder / "manifest.json").unlink()
    (folder / "snapshot.json").write_text('{"date": 10, "checksums": {}}')


DAMAGES = [
    truncated,
    one_bit_wrong,
    without_a_file,
    without_manifest,
    another_date,
    half_a_manifest,
    no_checksums,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_snapshot_is_skipped_with_a_warning(store, damage):
    damage(store.directory / "10")
    with pytest.warns(
        UserWarning, match=r"snapshots/10 is skipped: .*(manifest|instead|changed|read)"
    ):
        assert store.table(ITEM, 2)[0] == (1, 2)


def test_a_copy_under_another_name_is_skipped_with_a_warning(store):
    shutil.copytree(store.directory / "10", store.directory / "10-backup")
    with pytest.warns(UserWarning, match=r"10-backup is skipped: its date is 10"):
        assert store.dates() == [1, 2, 10]


def test_writing_beside_a_damaged_snapshot_or_another_folder_does_not_warn(store):
    half_a_manifest(store.directory / "2")
    (store.directory / "models").mkdir()
    store.add(11, {"item": ([7], values(1))})


def test_mixed_dates_of_numbers_and_text_are_refused(store):
    with pytest.raises(TypeError, match="a date like 1"):
        store.add("2022-04-25", {"item": ([7], values(1))})
    with pytest.raises(TypeError, match="a date like 1"):
        store.dates(until="2022-04-25")
    for date in (np.datetime64("2022-04-25"), None, True):
        with pytest.raises(TypeError, match="(?s)an ISO date as text.*isoformat"):
            store.add(date, {"item": ([7], values(1))})
    store.add(np.int64(11), {"item": ([7], values(1))})
    assert store.dates() == [1, 2, 10, 11]


def test_the_leftovers_of_a_killed_writer_are_not_read(store, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", dying())
        with pytest.raises(KilledError):
            store.add(11, {"item": ([7], values(1))})
    assert store.dates() == [1, 2, 10]
    store.add(11, {"item": ([7], values(1))})
    assert store.dates() == [1, 2, 10, 11]
    assert not [p for p in store.directory.iterdir() if p.name.startswith(".")]


def test_the_old_snapshot_is_read_if_its_replacement_was_killed(store, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", dying(2, os.rename))
        with pytest.raises(KilledError):
            store.add(10, {"item": ([7], values(1))})
    assert store.dates() == [1, 2, 10]
    assert store.table(ITEM, 1)[1][3, 0, 0] == 1009
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", dying())
        with pytest.raises(KilledError):
            store.add(10, {"item": ([7], values(1))})
    assert store.dates() == [1, 2, 10]
    store.add(10, {"item": ([7], values(1))})
    assert store.table(ITEM, 1)[1][2, 0, 0] == 1
    assert sorted(p.name for p in store.directory.iterdir()) == ["1", "10", "2"]


@pytest.mark.parametrize(
    ("ids", "rows", "message"),
    [
        ([7, 7], values(1, 2), "2 ids, 1 of them different"),
        ([7], values(1, 2), "one finite embedding per id"),
        ([7], [[np.nan]], "not all of them finite"),
        ([], np.zeros((0, 2)), "0 ids"),
    ],
)
def test_wrong_tables_are_refused_and_not_written(store, ids, rows, message):
    with pytest.raises(ValueError, match=message):
        store.add(12, {"item": (ids, rows)})
    assert store.dates() == [1, 2, 10]


def test_fields_without_snapshots_raise(store):
    with pytest.raises(ValueError, match="a hashed field keeps no ids"):
        store.table(Categorical("item", num_buckets=3))
    with pytest.raises(ValueError, match="embeddings of the field 'user'"):
        store.table(Categorical("user", ["ann"]))
    store.add(11, {"item": ([7], [[1.0]])})
    with pytest.raises(ValueError, match=r"(?s)one width.*\[1, 2\]"):
        store.table(ITEM)


def test_ids_of_another_kind_raise(store):
    store.add(11, {"item": (["7"], values(1))})
    with pytest.raises(TypeError, match="(?s)ids of 'item' of one kind.*'7'"):
        store.table(ITEM)


def test_the_manifest_records_the_date_and_checksums(store):
    record = json.loads((store.directory / "2" / "snapshot.json").read_text())
    assert record == {"date": 2}
    files = json.loads((store.directory / "2" / "manifest.json").read_text())["files"]
    assert set(files) == {"item.parquet", "snapshot.json"}
    shutil.move(store.directory / "2", store.directory / ".2")
    assert store.dates() == [1, 10]


def test_a_store_keeps_the_newest_snapshots(tmp_path):
    store = SnapshotStore(tmp_path, keep=2)
    tables = {"item": (["a"], [[1.0]])}
    for date in ("2022-09-30", "2022-10-01T02:00"):
        store.add(date, tables)
    with pytest.warns(UserWarning, match="The snapshot of '2022-09-29' is not kept"):
        store.add("2022-09-29", tables)
    store.add("2022-10-01", tables)
    with pytest.raises(ValueError, match="tables of one field or more"):
        store.add("2022-10-02", {})
    assert store.dates() == ["2022-10-01", "2022-10-01T02:00"]
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ValueError, match="keep"):
        SnapshotStore(tmp_path, keep=0)
