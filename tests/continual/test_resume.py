"""Killed at any moment and started again, a run ends with the same metrics."""

import dataclasses
import os
import shutil

import keras
import pytest

from tests.support.continual_world import (
    TRAINING,
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
from tf_ctr.transfer import ctnet

DAYS = [*periods(0, 1), Period(2, frame().iloc[:0]), *periods(3, items=(5, 9))]


class KilledError(Exception):
    """Stands for the end of the process."""


def noisy(schema):
    """A network with dropout, whose noise must be the same, too."""
    model = network(schema)
    hidden = keras.layers.Dropout(0.5)(model.get_layer("deep_1").output)
    output = model.get_layer("click")(model.get_layer("logit")(hidden))
    return keras.Model(model.input, output)


def run_in(directory, days=DAYS, seed=0):
    schema = fitted()
    return run(
        days,
        directory,
        target=noisy(schema),
        source=network(schema, 1),
        schema=schema,
        method=with_noise,
        slices=("item",),
        training=dataclasses.replace(TRAINING, seed=seed),
    )


def with_noise(source, target):
    """CTNet; the noise is in the target tower."""
    return ctnet(source, target)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed."""
    directory = tmp_path_factory.mktemp("whole")
    return directory, run_in(directory)


@pytest.fixture
def after_the_first(whole, tmp_path):
    """Its folder as it was after the first period."""
    directory = tmp_path / "run"
    shutil.copytree(whole[0] / "000000", directory / "000000")
    return directory


def in_training(monkeypatch):
    fit = Training.fit

    def dies(self, model, *arguments, **named):
        fit(self, model, *arguments, **named)
        raise KilledError

    monkeypatch.setattr(Training, "fit", dies)


def in_the_middle_of_a_checkpoint(monkeypatch):
    def dies(model, path):
        path.write_text("half a model")
        raise KilledError

    monkeypatch.setattr(keras.Model, "save", dies)


def between_checkpoint_and_cursor(monkeypatch):
    def dies(old, new):
        raise KilledError

    monkeypatch.setattr(os, "rename", dies)


def after_the_cursor(monkeypatch):
    def dies(*_):
        raise KilledError

    monkeypatch.setattr(Report, "write", dies)


@pytest.mark.parametrize(
    "kill, days",
    [
        (in_training, DAYS[:2]),
        (in_the_middle_of_a_checkpoint, DAYS[1:2]),
        (between_checkpoint_and_cursor, DAYS),
        # As if it were called every day, with the new ones alone.
        (after_the_cursor, DAYS[2:]),
    ],
)
def test_a_killed_run_ends_with_the_same_metrics(
    whole, after_the_first, monkeypatch, kill, days
):
    with monkeypatch.context() as patched:
        kill(patched)
        with pytest.raises(KilledError):
            run_in(after_the_first)
    finished = [record["number"] for record in Store(after_the_first).records()]
    assert finished == ([0, 1] if kill is after_the_cursor else [0])
    report = run_in(after_the_first, days)
    last = days[-1].number
    assert metrics(report) == [r for r in metrics(whole[1]) if r["number"] <= last]
    same(
        left_by(after_the_first, last).model.get_weights(),
        left_by(whole[0], last).model.get_weights(),
    )


def test_a_missing_period_is_told(after_the_first):
    with pytest.raises(ValueError, match="2 after 0, so that 1 is missing"):
        run_in(after_the_first, DAYS[2:])


def test_another_seed_is_another_run(after_the_first):
    with pytest.raises(ValueError, match="(?s)'seed': 0.*'seed': 1.*another directory"):
        run_in(after_the_first, seed=1)
