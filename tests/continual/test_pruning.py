"""Old models go, but none that is needed; the report stays complete."""

import json

import pytest

from tests.support.continual_world import TRAINING, fitted, network, periods
from tests.support.faults import points
from tf_ctr.continual import PruneCallback, run
from tf_ctr.continual.origins import PeriodModels
from tf_ctr.continual.pruning import PruneCallback as Prune
from tf_ctr.continual.store import Finished, Store
from tf_ctr.files import checksum
from tf_ctr.verification import verify


def record(number, **known):
    values = {"number": number, "end": number, "name": f"day {number}"}
    return {**values, "trained": True, "settings": {}, **known}


@pytest.fixture(scope="module")
def model():
    return network(fitted())


def add(store, model, number, **known):
    store.add(record(number, **known), Finished(model, fitted(), number=number))


def whole(store):
    """The periods that have a model."""
    return [
        each
        for each in store.numbers()
        if list(store.directory.glob(f"*{each}/*.keras"))
    ]


def prune(directory, keep):
    Prune(keep).on_run_begin(directory)


def test_the_newest_models_stay_and_every_record(tmp_path, model):
    store = Store(tmp_path)
    for number in range(4):
        add(store, model, number)
    store.add({**record(4), "trained": False})  # A day without rows.
    (tmp_path / "000000" / ".ipynb_checkpoints").mkdir()
    prune(tmp_path, keep=2)
    assert whole(store) == [2, 3] and store.numbers() == [0, 1, 2, 3, 4]
    assert [each["name"] for each in store.records()][:2] == ["day 0", "day 1"]
    assert store.latest()["number"] == 3 and store.latest(end=1) is None
    with pytest.raises(ValueError, match="(?s)period 1 in.*PruneCallback"):
        store.load({"number": 1})
    assert verify(tmp_path).well
    with pytest.raises(
        ValueError, match=r"(?s)at \[2, 3\], pruned ones at \[0, 1\].*keep"
    ):
        PeriodModels(tmp_path, "source").load(1)


def test_a_pruned_period_of_0_2_is_not_a_damaged_one(tmp_path, model):
    store = Store(tmp_path)
    for number in range(2):
        add(store, model, number)
        folder = tmp_path / f"{number:06d}"
        (folder / "manifest.json").unlink()
        sums = {path.name: checksum(path) for path in folder.iterdir()}
        sums.pop("record.json")
        (folder / "checksums.json").write_text(json.dumps(sums))
        (folder / "record.json").write_text(json.dumps(record(number)))
    prune(tmp_path, keep=1)
    assert whole(store) == [1] and store.damage(store.record(0)) is None
    assert [each.state for each in verify(tmp_path).findings] == ["unchecked", "whole"]


def test_the_newest_published_model_stays_while_later_ones_are_held(tmp_path, model):
    store = Store(tmp_path)
    for number in range(4):
        add(store, model, number, **({"held": "why"} if number > 1 else {}))
    prune(tmp_path, keep=1)
    assert whole(store) == [1, 3]
    add(store, model, 4)
    prune(tmp_path, keep=1)
    assert whole(store) == [4]


def test_a_kill_between_leaves_a_pruned_or_a_whole_period(tmp_path, model):
    def prepare():
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for number in range(2):
            add(Store(folder), model, number)
        return folder

    for _, faults, _ in points(prepare, lambda folder: prune(folder, keep=1)):
        assert verify(faults.root).well
        prune(faults.root, keep=1)
        assert whole(Store(faults.root)) == [1]
        assert {each.state for each in verify(faults.root).findings} == {"whole"}


def test_a_run_prunes_as_it_goes_and_resumes(tmp_path, model):
    def result(days):
        return run(
            periods(*days),
            tmp_path,
            target=model,
            schema=fitted(),
            method="target_only",
            training=TRAINING,
            callbacks=[PruneCallback(keep=1)],
        )

    result([0, 1])
    assert whole(Store(tmp_path)) == [1]
    report = result([0, 1, 2])
    assert whole(Store(tmp_path)) == [2]
    assert list(report.frame["trained_until"]) == [0, 1]
    with pytest.raises(ValueError, match="keep"):
        PruneCallback(keep=0)
