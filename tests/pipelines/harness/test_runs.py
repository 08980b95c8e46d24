"""One training run: chosen on validation, kept on disk, and resumed."""

import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest

import tf_ctr
from pipelines.harness.runs import Settings, Stopwatch, train, train_best
from tf_ctr.datasets.domains import Splits

SETTINGS = Settings(
    embedding_dim=2,
    hidden_units=(4,),
    num_cross_layers=1,
    batch_size=100,
    epochs=3,
    patience=3,
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
    learning_rates=(0.01,),
)


@pytest.fixture
def splits():
    """Item "a" is clicked, item "b" is not, except in the first ten rows."""
    frame = pd.DataFrame({"item": ["a", "b"] * 100, "click": [1, 0] * 100})
    frame.loc[:9, "click"] = 1 - frame.loc[:9, "click"]
    return Splits(frame, frame, frame)


@pytest.fixture
def schema(splits):
    return tf_ctr.Schema([tf_ctr.Categorical("item")]).fit(splits.train)


@pytest.fixture
def build(schema):
    """A table of click logits that starts on the wrong side."""

    def build():
        ids = schema.inputs()["item"]
        start = keras.initializers.Constant([[0.0], [0.0], [-0.1], [0.1]])
        logit = tf_ctr.layers.Embedding(4, 1, start, name="item_embedding")(ids)
        click = keras.layers.Activation("sigmoid", name="click")(logit)
        return keras.Model({"item": ids}, click)

    return build


def test_learning_rate_is_chosen_on_validation(build, splits, schema, tmp_path):
    model, record = train_best(
        build, splits, schema, SETTINGS, (1e-6, 0.5), 0, tmp_path, verbose=0
    )
    assert record["learning_rate"] == 0.5
    assert record["validation_auc"] == pytest.approx(0.95)
    logits = model.get_layer("item_embedding").get_weights()[0].ravel()
    assert logits[2] > logits[3]


def test_a_finished_run_is_loaded(build, splits, schema, tmp_path, capsys):
    """Also a run that stopped early, with fewer epochs than the setting."""
    settings = dataclasses.replace(SETTINGS, epochs=20, patience=1)
    run = (build, splits, schema, settings, 0.5, 0, tmp_path, 0)
    first, record = train(*run)
    assert "already finished" not in capsys.readouterr().out
    assert record["epochs_run"] < 20
    again, same = train(*run)
    assert "already finished" in capsys.readouterr().out
    assert same == record
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_settings_or_another_start_restart(
    build, splits, schema, tmp_path, capsys
):
    def run(build, settings):
        return train(build, splits, schema, settings, 0.1, 0, tmp_path, 0)[1]

    def other_start():
        model = build()
        table = model.get_layer("item_embedding")
        table.set_weights([table.get_weights()[0] + 0.01])
        return model

    run(build, SETTINGS)
    longer = dataclasses.replace(SETTINGS, epochs=4)
    assert run(build, longer)["epochs_run"] == 4
    run(other_start, longer)
    assert "already finished" not in capsys.readouterr().out


class KilledError(Exception):
    """Stands for the end of the process."""


def killed_in(monkeypatch, epoch):
    """Makes the next training run die at the start of an epoch."""

    def on_epoch_begin(self, now, logs=None):
        if now == epoch:
            raise KilledError

    monkeypatch.setattr(Stopwatch, "on_epoch_begin", on_epoch_begin)


def test_a_killed_run_resumes_and_counts_all_epochs(
    build, splits, schema, tmp_path, monkeypatch
):
    settings = dataclasses.replace(SETTINGS, epochs=4, patience=9)
    run = (build, splits, schema, settings, 0.01, 0)
    whole, _ = train(*run, tmp_path / "whole", 0)
    with monkeypatch.context() as patch:
        killed_in(patch, epoch=2)
        with pytest.raises(KilledError):
            train(*run, tmp_path / "broken", 0)
    resumed, record = train(*run, tmp_path / "broken", 0)
    assert record["epochs_run"] == 4
    assert resumed.optimizer.iterations == whole.optimizer.iterations


def test_a_killed_run_of_other_settings_is_not_resumed(
    build, splits, schema, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        killed_in(patch, epoch=2)
        with pytest.raises(KilledError):
            train(build, splits, schema, SETTINGS, 0.01, 0, tmp_path, 0)
    smaller = dataclasses.replace(SETTINGS, batch_size=50)
    model, record = train(build, splits, schema, smaller, 0.01, 0, tmp_path, 0)
    assert record["epochs_run"] == 3
    assert model.optimizer.iterations == 3 * 200 // 50
