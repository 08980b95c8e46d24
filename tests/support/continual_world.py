"""A tiny world of periods, and what a run of it left on disk."""

import keras
import numpy as np
import pandas as pd

import tf_ctr
from tf_ctr.backbones import dnn
from tf_ctr.continual import Period, Training
from tf_ctr.continual.store import Store
from tf_ctr.optimizers import SparseAdagrad


def compile_eagerly(model):
    """Compiles without the seconds that tracing takes in every period."""
    model.compile(SparseAdagrad(0.01), "binary_crossentropy", run_eagerly=True)


# One step for a period of 24 rows.
TRAINING = Training(compile_eagerly, batch_size=24, verbose=0)


SLICES = ("user", "item")


class KilledError(BaseException):
    """Stands for the end of a process."""


def dying(calls=1, function=None):
    """Returns a function that dies in a given call, and calls `function` before it."""
    left = [calls]

    def dies(*arguments, **named):
        left[0] -= 1
        if not left[0]:
            raise KilledError
        return function and function(*arguments, **named)

    return dies


def frame(rows=24, seed=0, items=(5, 6, 7, 8)):
    """Returns impressions of four users on some items, with both labels."""
    rng = np.random.default_rng(seed)
    click = rng.random(rows) < 0.5
    click[:2] = 0, 1
    return pd.DataFrame(
        {
            "user": [f"u{i}" for i in rng.integers(0, 4, rows)],
            "item": rng.choice(items, rows),
            "click": click.astype(int),
        }
    )


def open_schema():
    """Returns a schema that is not fitted."""
    fields = [tf_ctr.Categorical("user"), tf_ctr.Categorical("item")]
    return tf_ctr.Schema(fields, group="user")


def fitted(items=(5, 6, 7)):
    """Returns the schema of the users and some items."""
    return open_schema().fit(frame(items=items))


def network(schema, seed=0):
    """Returns a small network with random weights, none of them zero."""
    keras.utils.set_random_seed(seed)
    # A smooth activation, so that no weight lacks a gradient by chance.
    model = dnn(schema, embedding_dim=2, hidden_units=(3, 2), activation="tanh")
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(scale=0.5, size=weight.shape))
    return model


def periods(*numbers, seed=10, **arguments):
    """Returns a period of random rows for every number."""
    return [Period(n, frame(seed=seed + n, **arguments)) for n in numbers]


def left_by(directory, number):
    """Returns what a period left: model, schema, seen values."""
    return Store(directory).load({"number": number})


def weights(model, layer):
    """Returns the weights of a layer."""
    return model.get_layer(layer).get_weights()


def same(own, other):
    """Raises unless two lists of arrays are equal to the bit."""
    for one, two in zip(own, other, strict=True):
        np.testing.assert_array_equal(one, two)


def metrics(report):
    """Returns the records without their times."""
    return [
        {name: value for name, value in record.items() if name != "seconds"}
        for record in report.records
    ]
