"""Wherever a process ends, what is stored is the old or the new, and whole."""

import itertools
import os
import platform
import shutil

import pytest

from tests.support.faults import NO_PROCESS, KilledError, disk_after_a_power_cut, points
from tests.test_verification import add_version
from tf_ctr.continual.store import Store
from tf_ctr.ecdctr.snapshots import SnapshotStore
from tf_ctr.files import replacing, whole_folder
from tf_ctr.serving.labels import promotion
from tf_ctr.serving.labels.history import read_history
from tf_ctr.serving.labels.moves import read_files
from tf_ctr.serving.labels.promotion import promote, rollback
from tf_ctr.verification import verify

FAULTS = ["kill", "torn", "interrupt", "full", "denied"]


@pytest.fixture
def fresh(tmp_path):
    """A function that copies what `root` holds to a new folder."""
    numbers = itertools.count()

    def copy(root):
        return shutil.copytree(root, tmp_path / "copies" / f"{next(numbers)}" / "m")

    return copy


@pytest.fixture
def root(tmp_path):
    """A folder with a file and a sealed folder."""
    write(tmp_path / "root", "old")
    return tmp_path / "root"


def write(root, text):
    with replacing(root / "file") as temporary:
        temporary.write_text(text)
    with whole_folder(root / "folder") as partial:
        (partial / "a").write_text(text)
        (partial / "inner").mkdir()
        (partial / "inner" / "b").write_text(text)


def content(root):
    """`{name: text}` of all files but manifests."""
    return {
        str(path.relative_to(root)): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def one_of(root, *texts):
    """Raises unless the file and the folder are whole, and of one of the texts."""
    found = verify(root)
    assert found.well, str(found)
    for name in ("folder", ".folder.replaced"):
        if (root / name).exists():
            break
    inside = {(root / name / file).read_text() for file in ("a", "inner/b")}
    assert len(inside) == 1 and inside < {*texts, ""}
    assert (root / "file").read_text() in texts


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_and_a_folder_are_old_or_new_and_the_next_run_cleans_up(
    root, fresh, fault
):
    for _, faults, _ in points(
        lambda: fresh(root), lambda folder: write(folder, "new"), fault
    ):
        one_of(faults.root, "old", "new")
        write(faults.root, "newest")
        expected = {"file": "newest", "folder/a": "newest", "folder/inner/b": "newest"}
        assert content(faults.root) == expected


@pytest.mark.parametrize("names_first", [True, False])
def test_a_power_cut_loses_nothing_that_was_done(root, fresh, names_first, tmp_path):
    done = []
    for number, faults, _ in points(
        lambda: fresh(root), lambda folder: write(folder, "new")
    ):
        target = tmp_path / f"after-{number}"
        disk_after_a_power_cut(faults, target, names_first)
        one_of(target, "old", "new")
        done.append((target / "file").read_text())
        write(target, "newest")
    assert done == sorted(done, reverse=True) and set(done) == {"old", "new"}


def test_a_cut_that_is_not_flushed_would_be_found(root, fresh, monkeypatch, tmp_path):
    """The harness finds what a program without `fsync` loses."""
    monkeypatch.setattr("tf_ctr.files.writing.flush", lambda path: None)
    lost = 0
    for number, faults, _ in points(
        lambda: fresh(root), lambda folder: write(folder, "new")
    ):
        target = tmp_path / f"after-{number}"
        disk_after_a_power_cut(faults, target, names_first=True)
        lost += (target / "file").read_text() == ""
    assert lost


def test_what_runs_here_or_anywhere_else_is_not_taken_for_left_over(tmp_path):
    mine = f"{os.getpid()}-1-{platform.node()}"
    elsewhere = f"{NO_PROCESS}-1-another-host"
    names = [f".file.{each}.tmp" for each in (mine, elsewhere, "some", "1-2")]
    for name in [*names, f".file.{NO_PROCESS}-1-{platform.node()}.tmp"]:
        (tmp_path / name).touch()
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("text")
    assert {each.name for each in tmp_path.iterdir()} == {*names, "file"}


# Periods and snapshots


def period(number):
    return {"number": number, "end": number, "trained": False, "settings": {}}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_period_is_there_whole_or_not_at_all(tmp_path, fresh, fault):
    Store(tmp_path / "run").add(period(0))
    for _, faults, _ in points(
        lambda: fresh(tmp_path / "run"), lambda run: Store(run).add(period(1)), fault
    ):
        store = Store(faults.root)
        assert store.numbers() in ([0], [0, 1]) and verify(faults.root).well
        if store.numbers() == [0]:
            store.add(period(1))
        assert store.records() == [period(0), period(1)]
        assert verify(faults.root).well


@pytest.mark.parametrize("fault", FAULTS)
def test_a_snapshot_that_is_replaced_is_the_old_or_the_new(tmp_path, fresh, fault):
    def add(folder, value):
        SnapshotStore(folder).add(3, {"item": (["a"], [[value]])})

    add(tmp_path / "tpm", 1.0)
    for _, faults, _ in points(
        lambda: fresh(tmp_path / "tpm"), lambda folder: add(folder, 2.0), fault
    ):
        assert SnapshotStore(faults.root).dates() == [3]
        add(faults.root, 3.0)
        assert [each.name for each in faults.root.iterdir()] == ["3"]


# Versions and labels


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Three versions, of which the first is stable, and a gate that is open."""
    monkeypatch.setattr(promotion, "measure", lambda *_: [])
    monkeypatch.setattr(promotion, "require_conformant", lambda *_, **__: [])
    for _ in range(3):
        add_version(tmp_path / "m")
    return tmp_path / "m"


def labels(directory):
    files = read_files(directory)
    return files.labels, files.pending


MOVES = {
    "promote": lambda directory: promote(directory, ROWS, 2),
    "rollback": lambda directory: rollback(directory),
    "export": lambda directory: add_version(directory),
}
ROWS = ()


@pytest.mark.parametrize("fault", ["kill", "full"])
@pytest.mark.parametrize("name", MOVES)
def test_a_move_of_labels_that_fails_is_made_by_the_next_call(
    store, fresh, name, fault
):
    if name == "rollback":
        promote(store, ROWS, 2)
    before = labels(store)
    done = fresh(store)
    MOVES[name](done)
    after = labels(done)
    for number, faults, raised in points(lambda: fresh(store), MOVES[name], fault):
        directory = faults.root
        assert verify(directory).well, str(verify(directory))
        found = labels(directory)
        assert found[0] in (before[0], after[0])
        shutil.rmtree(directory.parent / "staged", ignore_errors=True)
        if not isinstance(
            raised, KilledError
        ):  # An error is undone: the files are as before, or the move is made.
            assert found in (before, after), (number, faults.calls[number])
        if found == after:
            continue
        MOVES[name](directory)
        assert labels(directory)[0]["stable"] == after[0]["stable"]
        if name != "export":
            assert labels(directory) == after
            # A kill between two files leaves records of a move that is made again.
            assert len(read_history(directory)) <= len(read_history(done)) + 2


def test_a_clock_that_is_set_back_removes_nothing_and_blocks_nothing(
    store, monkeypatch
):
    promote(store, ROWS, 2)
    monkeypatch.setattr("tf_ctr.serving.labels.history.now", lambda: 1e9)
    # By the clock, version 1 loses its label in 20 years: a server may still use it.
    assert promote(store, ROWS, 3, keep=1).removed == []
    assert read_files(store).labels["stable"] == 3
    assert rollback(store).after == 2 and verify(store).well
