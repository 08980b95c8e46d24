"""A resumed run equals the unbroken one to the last bit, wherever it was killed."""

import keras
import numpy as np
import pandas as pd
import pytest

from tf_ctr import data, training
from tf_ctr.features import Categorical, Numeric, Schema
from tf_ctr.joint import mix
from tf_ctr.layers import Embedding, GumbelRouter, Route

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
    built = training.compile(keras.Model(inputs, click), 0.1)
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
    chosen = training.callbacks(run_dir, patience=9, every_steps=every)
    return model.fit(
        batches,
        validation_data=data.from_frame(FRAME, schema, 16, shuffle=True),
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
        ("frame", {}, 2, {}),
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
