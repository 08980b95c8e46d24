"""A run that is killed at any moment and resumed ends with the same metrics."""

import dataclasses
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import keras
import pytest

from tests.support.continual_world import (
    TRAINING,
    KilledError,
    dying,
    fitted,
    frame,
    left_by,
    metrics,
    network,
    periods,
    same,
)
from tf_ctr.continual import Period, Report, Training, run
from tf_ctr.continual.store import Store
from tf_ctr.files import LockedError
from tf_ctr.transfer import ctnet

DAYS = [*periods(0, 1), Period(2, frame().iloc[:0]), *periods(3, items=(5, 9))]


@pytest.fixture(scope="module")
def models():
    """The target, with dropout whose noise must be the same too, and the source."""
    model = network(fitted())
    hidden = keras.layers.Dropout(0.5)(model.get_layer("deep_1").output)
    output = model.get_layer("click")(model.get_layer("logit")(hidden))
    return {
        "target": keras.Model(model.input, output),
        "source": network(fitted(), 1),
        "schema": fitted(),
    }


def run_in(directory, models, days=DAYS, seed=0):
    return run(
        days,
        directory,
        method=ctnet_with_noise,
        slices=("item",),
        training=dataclasses.replace(TRAINING, seed=seed),
        **models,
    )


def ctnet_with_noise(source, target):
    """The method of a user; the noise is in the target tower."""
    return ctnet(source, target)


@pytest.fixture(scope="module")
def whole(models, tmp_path_factory):
    """An uninterrupted run."""
    directory = tmp_path_factory.mktemp("whole")
    return directory, run_in(directory, models)


@pytest.fixture
def after_the_first(whole, tmp_path):
    """The folder of that run as it was after the first period."""
    directory = tmp_path / "run"
    shutil.copytree(whole[0] / "000000", directory / "000000")
    return directory


def in_training(monkeypatch):
    fit = Training.fit

    def dies(self, model, *arguments):
        fit(self, model, *arguments)
        raise KilledError

    monkeypatch.setattr(Training, "fit", dies)


def in_the_middle_of_a_checkpoint(monkeypatch):
    def dies(model, path):
        path.write_text("half a model")
        raise KilledError

    monkeypatch.setattr(keras.Model, "save", dies)


def before_the_checkpoint_has_its_name(monkeypatch):
    monkeypatch.setattr(os, "rename", dying())


def after_the_checkpoint(monkeypatch):
    monkeypatch.setattr(Report, "write", dying())


@pytest.mark.parametrize(
    "kill, days",
    [
        (in_training, DAYS[:2]),
        (in_the_middle_of_a_checkpoint, DAYS[1:2]),
        (before_the_checkpoint_has_its_name, DAYS),
        # As in a call per day, with only the new periods.
        (after_the_checkpoint, DAYS[2:]),
    ],
)
def test_a_killed_run_ends_with_the_same_metrics(
    whole, models, after_the_first, monkeypatch, kill, days
):
    with monkeypatch.context() as patched:
        kill(patched)
        with pytest.raises(KilledError):
            run_in(after_the_first, models)
    finished = [record["number"] for record in Store(after_the_first).records()]
    assert finished == ([0, 1] if kill is after_the_checkpoint else [0])
    report = run_in(after_the_first, models, days)
    last = days[-1].number
    assert metrics(report) == [r for r in metrics(whole[1]) if r["number"] <= last]
    same(
        left_by(after_the_first, last).model.get_weights(),
        left_by(whole[0], last).model.get_weights(),
    )


def test_a_missing_period_raises(after_the_first, models):
    with pytest.raises(ValueError, match="2 after 0, so that 1 is missing"):
        run_in(after_the_first, models, DAYS[2:])


def test_a_second_run_in_the_folder_is_refused(after_the_first, models):
    def second(_):
        with ThreadPoolExecutor(1) as pool:  # As another process: see test_locks.
            error = pool.submit(run_in, after_the_first, models).exception()
        assert isinstance(error, LockedError)
        raise KilledError

    days = [*periods(0), dataclasses.replace(DAYS[1], data=lambda: second(0))]
    with pytest.raises(KilledError):
        run_in(after_the_first, models, days)
    assert Store(after_the_first).numbers() == [0]
    assert not (after_the_first / ".lock").exists()


def test_another_seed_needs_another_directory(after_the_first, models):
    with pytest.raises(ValueError, match="(?s)'seed': 0.*'seed': 1.*another directory"):
        run_in(after_the_first, models, seed=1)
