"""A run resumes as itself, says so, and is never continued as another one."""

import gc
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pandas as pd
import pytest

from tests.support.frames import click_frame
from tests.support.models import batch, small_dcn
from tests.training.test_training import (
    Kill,
    Scripted,
    assert_same_weights,
    dataset,
    eager,
    fit,
)
from tf_ctr import Categorical, Schema, training
from tf_ctr.files import DamagedError, LockedError
from tf_ctr.training.settings import differences


def compiled(rate=1e-3, **arguments):
    model = training.compile(small_dcn(**arguments), rate)
    model.run_eagerly = True
    return model


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a run of three epochs that was killed in its second one."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    with pytest.raises(InterruptedError):
        fit(compiled(), 3, [Kill(1), *training.callbacks(folder)])
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, and its weights."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    model = compiled()
    fit(model, 2, [Scripted([0.9, 0.8]), *training.callbacks(folder)])
    return folder, model.get_weights()


@pytest.fixture
def run(killed, tmp_path):
    return shutil.copytree(killed, tmp_path / "run")


def test_a_resumed_run_says_where_it_goes_on(run, capsys):
    fit(compiled(seed=9), 3, training.callbacks(run))
    assert f"resuming at epoch 2 of 3 from {run}\n" in capsys.readouterr().out


def test_a_finished_run_says_so_and_does_not_train(finished, capsys):
    folder, weights = finished
    model = compiled(seed=9)
    history = fit(model, 2, training.callbacks(folder))
    assert history.epoch == []
    assert_same_weights(model, weights)
    shown = capsys.readouterr().out
    assert f"{folder} is finished: 2 epochs" in shown and "resume=False" in shown
    # Keras keeps the first epoch in the model; another folder starts with the first.
    with pytest.raises(InterruptedError):
        fit(model, 2, [kill := Kill(0), *training.callbacks(folder.parent / "other")])
    assert kill.started == [0]


def test_a_run_starts_over_when_it_is_not_to_resume(finished, tmp_path, capsys):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    chosen = training.callbacks(folder, resume=False)
    assert fit(compiled(rate=0.1), 1, chosen).epoch == [0]
    assert fit(compiled(rate=0.1), 1, chosen).epoch == []
    assert "is finished: 1 epochs" in capsys.readouterr().out


def wider():
    model = small_dcn()
    hidden = keras.layers.Dense(5, "relu", name="deep_2")(model.layers[-1].output)
    output = keras.layers.Dense(1, "sigmoid", name="last")(hidden)
    return eager(keras.Model(model.inputs, output))


def fine(text="a"):
    return Schema([Categorical("user")]).fit(click_frame().assign(user=text))


@pytest.mark.parametrize(
    "model, arguments, message",
    [
        (lambda: compiled(rate=0.5), {}, "learning_rate was 0.001.* and is 0.5"),
        (wider, {}, "layers: new .'deep_2', 'last'"),
        (lambda: compiled(batch_norm=True), {}, "deep"),
        (compiled, {"patience": 9}, "early stopping patience was 3 and is 9"),
    ],
)
def test_another_run_is_refused_by_name(killed, model, arguments, message):
    with pytest.raises(ValueError, match="(?s)the run that .*run holds") as error:
        fit(model(), 3, training.callbacks(killed, **arguments))
    text = str(error.value)
    assert re.search(message, text), text
    assert len(text) < 900  # No arrays in it.
    assert "resume=False to start over, or another run_dir" in text


def test_another_schema_or_other_rows_are_refused(tmp_path):
    frame = pd.DataFrame({"user": ["a", "b"], "items": [[1], [2, 3]]})
    given = {"schema": fine(), "data": frame}
    with pytest.raises(InterruptedError):
        fit(compiled(), 3, [Kill(1), *training.callbacks(tmp_path, **given)])
    for other, message in (
        ({"schema": fine("b")}, "schema was"),
        ({"data": frame[::-1]}, "data was 2 rows"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(compiled(), 3, training.callbacks(tmp_path, **{**given, **other}))
    with pytest.raises(ValueError, match="batches per epoch was 3 and is 1"):
        compiled().fit(
            dataset(rows=16),
            epochs=3,
            verbose=0,
            shuffle=False,
            callbacks=training.callbacks(tmp_path),
        )


@pytest.mark.parametrize(
    "name",
    [
        "training.json",
        "backup/manifest.json",
        "backup/variables.npz",
        "backup/training_metadata.json",
        "early_stopping/state.json",
        "early_stopping/best_000000.npz",
    ],
)
def test_a_damaged_state_is_named_and_never_used(run, name):
    content = (run / name).read_bytes()
    rng = np.random.default_rng(len(content))
    for bit in rng.integers(8 * len(content), size=10):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        (run / name).write_bytes(changed)
        with pytest.raises(DamagedError, match="(?s)Expected .* as .*Fix: .*"):
            fit(compiled(), 3, training.callbacks(run))
    if name != "training.json":
        (run / name).unlink()
    if "backup" in name or "best" in name:
        with pytest.raises(DamagedError, match="delete"):
            fit(compiled(), 3, training.callbacks(run))


def test_a_backup_of_0_2_is_resumed(run, capsys):
    (run / "training.json").unlink()
    for name in ("manifest.json", "variables.npz"):
        (run / "backup" / name).unlink()
    former = compiled()
    former.optimizer.build(former.trainable_variables)
    former.save_weights(run / "backup" / "latest.weights.h5")
    (run / "backup" / "training_metadata.json").write_text('{"epoch": 1, "batch": 0}')
    folder = run / "early_stopping"
    (folder / "best_000000.npz").rename(folder / "best.npz")
    state = json.loads((folder / "state.json").read_text())
    for name in ("weights", "weights_sha256", "sha256"):
        del state[name]
    (folder / "state.json").write_text(json.dumps(state))
    assert fit(compiled(), 3, training.callbacks(run)).epoch == [1, 2]
    assert "without its settings" in capsys.readouterr().out
    assert list(folder.iterdir()) == []


def test_one_process_trains_in_a_folder(tmp_path):
    errors = []

    def second(epoch, logs):
        with ThreadPoolExecutor(1) as pool:
            chosen = training.callbacks(tmp_path)
            errors.append(pool.submit(fit, compiled(), 1, chosen).exception())

    other = keras.callbacks.LambdaCallback(on_epoch_begin=second)
    fit(compiled(), 1, [*training.callbacks(tmp_path), other])
    assert [type(error) for error in errors] == [LockedError]
    assert not (tmp_path / ".lock").exists()


def test_a_run_that_was_stopped_by_hand_frees_the_folder(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(compiled(), 1, [Stop(), *training.callbacks(tmp_path)])
    gc.collect()
    assert not (tmp_path / ".lock").exists()
    fit(compiled(), 1, training.callbacks(tmp_path))


def test_early_stopping_says_which_epoch_it_restored(capsys):
    model = compiled()
    model.fit(
        dataset(),
        validation_data=batch(4),
        epochs=9,
        verbose=2,
        shuffle=False,
        callbacks=[
            Scripted([0.7, 0.791, 0.5, 0.5, 0.5]),
            training.EarlyStopping(patience=2),
        ],
    )
    line = "stopped at epoch 4; best epoch 2 (val_auc 0.7910) restored\n"
    assert line in capsys.readouterr().out


def test_a_rate_is_shown_as_the_user_wrote_it():
    known, own = ({"rate": float(np.float32(rate))} for rate in (0.001, 0.01))
    said = differences({"optimizer": known}, {"optimizer": own})
    assert said == ["optimizer rate was 0.001 and is 0.01"]
    close = {"rate": 0.1}, {"rate": 0.1000000001}
    said = differences({"optimizer": close[0]}, {"optimizer": close[1]})
    assert said == ["optimizer rate was 0.1 and is 0.1000000001"]
