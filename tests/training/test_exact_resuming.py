"""A resumed run equals the unbroken one to the last bit, wherever it was killed."""

import errno
import json
import re
import resource
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

from tf_ctr import data, training
from tf_ctr.features import Categorical, Numeric, Schema
from tf_ctr.files import write_sealed
from tf_ctr.joint import mix
from tf_ctr.layers import Embedding, GumbelRouter, Route
from tf_ctr.metrics import LogLoss
from tf_ctr.optimizers import SparseAdam

ROWS, STEPS = 28, 4
FRAME = pd.DataFrame(
    {
        "item": np.arange(ROWS) % 7,
        "price": np.linspace(-1, 1, ROWS),
        "click": np.arange(ROWS) % 3 % 2,
    }
)


@pytest.fixture(scope="module")
def schema():
    return Schema([Categorical("item"), Numeric("price")]).fit(FRAME)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, schema):
    folder = tmp_path_factory.mktemp("rows")
    for index, rows in enumerate((FRAME[:12], FRAME[12:])):
        rows.to_parquet(folder / f"{index}.parquet", row_group_size=7)
        rows.to_csv(folder / f"{index}.csv", index=False)
        data.to_tfrecord(rows, schema, folder / f"{index}.tfrecord")
    return folder


def opened(source, folder, schema):
    """New batches, as a restarted script makes them."""
    shuffled = {"batch_size": 8, "shuffle": True, "seed": 5}
    if source == "mixed":
        one = data.from_frame(FRAME[:5], schema, **shuffled)
        return mix(one, data.from_parquet(folder, schema, **shuffled), batch_size=14)
    if source == "endless":
        return data.from_frame(FRAME, schema, **shuffled).repeat()
    rows = FRAME if source == "frame" else folder
    return getattr(data, f"from_{source}")(rows, schema, **shuffled)


def model(schema, seed, **compiled):
    """A model with dropout and a router; another seed gives other noise."""
    keras.utils.set_random_seed(seed)
    inputs = {
        "item": keras.Input((), dtype="int64", name="item"),
        "price": keras.Input((1,), name="price"),
    }
    rows = schema.field("item").table_size
    vector = Embedding(rows, 4, "normal", name="item_embedding")(inputs["item"])
    x = keras.layers.Concatenate()([vector, inputs["price"]])
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    gates = GumbelRouter(1, (4,), name="router")(x)
    branches = [keras.layers.Dense(3, name=name)(x) for name in ("frozen", "tuned")]
    x = Route(decision=0, name="route")(*branches, gates)
    click = keras.layers.Dense(1, "sigmoid", name="click")(x)
    built = keras.Model(inputs, click)
    built.compile(SparseAdam(0.1), "binary_crossentropy", weighted_metrics=[LogLoss()])
    built.run_eagerly = compiled.get("run_eagerly", True)
    built.steps_per_execution = compiled.get("steps_per_execution", 1)
    return built


class Killed(keras.callbacks.Callback):
    """Raises after a number of batches of this process."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise InterruptedError


def fit(model, batches, run_dir, schema, every, *further, **arguments):
    chosen = training.callbacks(
        run_dir, None, "val_loss", "min", patience=9, every_steps=every
    )
    return model.fit(
        batches,
        validation_data=data.from_frame(FRAME, schema, 28, shuffle=True),
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[*chosen, *further],
        **arguments,
    )


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [np.asarray(each) for each in variables]


# Keras says so of batches whose number is not known, as those of TFRecord files.
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(
    "source, compiled, every, arguments",
    [
        ("parquet", {}, 1, {}),
        ("tfrecord", {}, 3, {}),
        ("mixed", {}, 2, {}),
        ("endless", {}, 2, {"steps_per_epoch": 3}),
        ("frame", {"run_eagerly": False, "steps_per_execution": 3}, 1, {}),
        ("frame", {}, None, {}),
    ],
)
def test_a_resumed_run_ends_as_the_unbroken_one(
    source, compiled, every, arguments, folder, schema, tmp_path
):
    def run(seed, run_dir, *further):
        own = model(schema, seed, **compiled)
        batches = opened(source, folder, schema)
        history = fit(
            own, batches, tmp_path / run_dir, schema, every, *further, **arguments
        )
        return state(own), history.history

    unbroken = run(1, "whole")
    # After the first backup; the weights, the noise and the numbers of passes differ.
    kills = np.random.default_rng(sum(map(ord, f"{source}{every}")))
    kill = kills.integers(every or STEPS, 2 * STEPS - 1) + 1
    with pytest.raises(InterruptedError):
        run(1, "run", Killed(kill // compiled.get("steps_per_execution", 1)))
    assert (tmp_path / "run/backup").exists()
    variables, metrics = run(2, "run")
    for own, other in zip(variables, unbroken[0], strict=True):
        np.testing.assert_array_equal(own, other)
    for name, values in metrics.items():
        assert values == unbroken[1][name][-len(values) :], name


@pytest.fixture(scope="module")
def killed(schema, tmp_path_factory):
    """The folder of a run that was killed in its first epoch, after two batches."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    batches = opened("frame", None, schema)
    with pytest.raises(InterruptedError):
        fit(model(schema, 1), batches, folder, schema, 2, Killed(3))
    return folder


def test_a_mid_epoch_backup_says_what_is_drawn_again(killed, schema, capsys, tmp_path):
    run = shutil.copytree(killed, tmp_path / "run")
    # A kill between the two renames of a new backup.
    (run / "backup").rename(run / ".backup.replaced")
    seen = []
    counts = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"]))
    )
    fit(model(schema, 2), opened("frame", None, schema), run, schema, 2, counts)
    assert [batch for batch, _ in seen] == [0, 1, 2, 3] * 2
    assert seen[0][1] == seen[1][1] != seen[2][1]
    said = "resuming at epoch 1 of 2 from .*, after 2 batches, which are drawn again\n"
    assert re.search(said, capsys.readouterr().out)


@pytest.mark.parametrize(
    "batches, arguments, message",
    [
        (lambda rows: rows.take(1), {}, "batches per epoch was 4 and is 1"),
        (
            lambda rows: rows.take(1).repeat(1).filter(lambda *_: True),
            {},
            "at least 2 batches(?s:.)*data that end before",
        ),
        (lambda rows: rows, {"steps_per_epoch": 3}, r"batches.repeat\(\)"),
    ],
)
def test_other_batches_are_refused(
    batches, arguments, message, killed, schema, tmp_path
):
    run = shutil.copytree(killed, tmp_path / "run")
    if arguments:  # Else the numbers of batches differ first.
        settings = json.loads((run / "training.json").read_text())["settings"]
        settings["batches per epoch"] = 3
        write_sealed(run / "training.json", {"settings": settings})
    with pytest.raises(ValueError, match=message):
        fit(
            model(schema, 1),
            batches(opened("frame", None, schema)),
            run,
            schema,
            2,
            **arguments,
        )


def test_a_full_disk_keeps_the_last_backup(killed, schema, tmp_path):
    """Writing fails as on a full disk: files are limited to a few bytes."""
    run = shutil.copytree(killed, tmp_path / "run")
    before = (run / "backup/manifest.json").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(batch, logs):
        if batch == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))

    full = keras.callbacks.LambdaCallback(on_train_batch_begin=fill)
    other = model(schema, 1)
    try:
        with pytest.raises(OSError, match="(?s)the state of the run.*is kept") as error:
            fit(other, opened("frame", None, schema), run, schema, 2, full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.errno == errno.EFBIG
    assert (run / "backup/manifest.json").read_bytes() == before
    assert not (run / ".backup.partial").exists()


def test_a_kill_between_early_stopping_and_the_backup_ends_the_epoch(schema, tmp_path):
    """Early stopping then knows the last epoch, of which the backup has a part."""

    class Between(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise InterruptedError

    def run(run_dir, *kill):
        own, batches = model(schema, 1), opened("frame", None, schema)
        first, annealing, stopping, *last = training.callbacks(
            tmp_path / run_dir, None, "val_loss", "min", patience=1, every_steps=3
        )
        # Worse than the first epoch, so that it stops after the second of three.
        worse = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: logs.update(val_loss=float(epoch))
        )
        chosen = [first, annealing, worse, stopping, *kill, *last]
        own.fit(
            batches,
            validation_data=data.from_frame(FRAME, schema, 28),
            epochs=3,
            shuffle=False,
            verbose=0,
            callbacks=chosen,
        )
        return state(own)

    unbroken = run("whole")
    with pytest.raises(InterruptedError):
        run("run", Between())
    for own, other in zip(run("run"), unbroken, strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_that_end_later_than_in_the_first_epoch_are_said(schema, tmp_path, capsys):
    sizes = iter([9, 28])
    batches = data.from_rows(lambda: iter([FRAME[: next(sizes)]]), schema, 8)
    history = fit(model(schema, 1), batches, tmp_path, schema, None)
    assert len(history.epoch) == 2
    shown = capsys.readouterr().out
    assert "Epoch 2 had more batches than the first one" in shown
    assert "Epoch 1" not in shown


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"every_steps": 0}, "`every_steps` to be a whole number"),
        ({"final_temperature": 0.1}, "final_temperature"),
        ({"annealing": 0.1}, "pass annealing=TemperatureAnnealing"),
        ({"patience": -1}, "`patience` to be a whole number"),
        # Without a check, a library's error after the first epoch, or a trace.
        ({"validation": pd.DataFrame()}, "(?s)a Dataset.*validation=data.from_rows"),
        ({"schema": "schema.json"}, r"(?s)a Schema.*str.*Schema\.load"),
        ({"data": "log/"}, "(?s)a DataFrame.*str.*data=frame"),
    ],
)
def test_a_wrong_argument_of_callbacks_is_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        training.callbacks(**arguments)
