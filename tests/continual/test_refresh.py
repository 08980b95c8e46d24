"""What a newer source model changes, and which periods a model is trained on."""

import dataclasses
import functools

import keras
import numpy as np
import pytest

from tests.support.continual_world import (
    TRAINING,
    fitted,
    left_by,
    network,
    periods,
    same,
    weights,
)
from tf_ctr.continual import Refresh, Training, run, train_source
from tf_ctr.continual.store import Store
from tf_ctr.transfer import fine_tune


def _compile_still(model):
    sgd = keras.optimizers.SGD(0.0)
    model.compile(sgd, "binary_crossentropy", run_eagerly=True)


def test_transfer_once_keeps_the_first_source_model(world, tmp_path):
    root, _ = world
    report = run(
        periods(1, 2),
        tmp_path,
        target=root / "base",
        source=root / "source",
        refresh=Refresh(every="never"),
        training=TRAINING,
    )
    assert [record["source"] for record in report.records] == [1, 1]
    same(
        weights(left_by(tmp_path, 2).model, "deep_0_source"),
        weights(left_by(root / "source", 1).model, "deep_0"),
    )


def test_a_restart_applies_the_method_to_the_newest_models(world, tmp_path):
    root, _ = world
    report = run(
        periods(1, 2),
        tmp_path,
        target=root / "base",
        source=root / "source",
        method=functools.partial(fine_tune, which=["item"]),
        refresh=Refresh(every="period", restart=True, window=2),
        training=Training(compile=_compile_still, verbose=0),
    )
    assert [record["rows_trained"] for record in report.records] == [24, 48]
    assert [record["source"] for record in report.records] == [1, 2]
    finished, source, base = (
        left_by(folder, n)
        for folder, n in ((tmp_path, 2), (root / "source", 2), (root / "base", 1))
    )
    same(weights(finished.model, "deep_0"), weights(base.model, "deep_0"))
    rows = {
        name: dict(
            zip(
                each.schema.field("item").vocabulary,
                weights(each.model, "item_embedding")[0][2:],
                strict=True,
            )
        )
        for name, each in (("own", finished), ("source", source))
    }
    for item in (5, 6, 9):
        np.testing.assert_array_equal(rows["own"][item], rows["source"][item])


def test_the_frozen_branches_of_autoft_are_copies_of_the_newest_source(world, tmp_path):
    root, _ = world
    report = run(
        periods(1, 2),
        tmp_path,
        source=root / "source",
        method="autoft",
        training=TRAINING,
    )
    assert [record["source"] for record in report.records] == [1, 2]
    same(
        weights(left_by(tmp_path, 2).model, "deep_0_frozen"),
        weights(left_by(root / "source", 2).model, "deep_0"),
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"every": "week"}, "`every` to be one of 'arrival', 'period', 'never'"),
        ({"window": 0}, "`window` to be a whole number of at least 1"),
        ({"window_when": "never"}, "`window_when` to be one of 'always', 'restart'"),
    ],
)
def test_a_wrong_refresh_raises(arguments, message):
    with pytest.raises(ValueError, match=message):
        Refresh(**arguments)


@pytest.mark.parametrize(
    "every, restart, word",
    [
        ("arrival", False, "frozen"),
        ("period", False, "frozen"),
        ("never", False, "once"),
        ("never", True, "once"),
        ("arrival", True, "arrival"),
        ("period", True, "restart"),
    ],
)
def test_settings_are_recorded_in_the_words_of_version_0_1(every, restart, word):
    refresh = Refresh(every, restart, window=4)
    assert refresh.settings() == {"refresh": word, "window": 4}
    once_a_row = dataclasses.replace(refresh, window_when="restart")
    assert once_a_row.settings()["window_when"] == "restart"


def test_a_window_needs_the_periods_before_it(world):
    root, _ = world
    store, three = Store(root / "source"), periods(0, 1, 2)

    def chosen(window, given=three, first=None):
        refresh = Refresh(window=window, first=first)
        numbers = store.numbers()
        chosen = refresh.periods_to_train(given[-1], given, numbers, restarts=True)
        return [p.number for p in chosen]

    assert chosen(1) == [2] and chosen(2) == [1, 2]
    assert chosen(None) == chosen(9) == [0, 1, 2]
    with pytest.raises(ValueError, match="(?s)periods 1 to 2.*none before 2"):
        chosen(2, three[2:])


def test_a_window_reaches_back_beyond_the_first_period_of_the_run(tmp_path):
    schema = fitted()
    report = train_source(
        periods(0, 1, 2, 3),
        tmp_path,
        network(schema),
        schema,
        refresh=Refresh(window=3, first=2),
        training=TRAINING,
    )
    trained = [(r["number"], r["rows_trained"]) for r in report.records]
    assert trained == [(2, 72), (3, 72)]
    assert report.frame["number"].tolist() == [3]
