"""Models, schemas and files of the tests that export."""

import keras
import numpy as np

import tf_ctr
from tests.support.frames import click_frame
from tf_ctr.backbones import dcn
from tf_ctr.data import from_frame
from tf_ctr.layers import Embedding

USERS = ["ann", "bob"]


def user_schema():
    """One field with the vocabulary `USERS`."""
    return tf_ctr.Schema([tf_ctr.Categorical("user", vocabulary=USERS)])


def user_model(rows=4, activation="sigmoid", between=None):
    """`activation(the row number of the user's id)`: scores to compute by hand."""
    user = keras.Input((), dtype="int64", name="user")
    numbers = keras.initializers.Constant(np.arange(rows)[:, np.newaxis])
    x = Embedding(rows, 1, numbers, name="user_embedding")(user)
    x = x if between is None else between(x)
    return keras.Model(
        {"user": user}, keras.layers.Activation(activation, name="click")(x)
    )


def trained_dcn(schema):
    """A DCN with weights of order 1, so that every field moves the score."""
    keras.utils.set_random_seed(0)
    model = dcn(schema, 4, hidden_units=(8,), num_cross_layers=1, batch_norm=True)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    return train(model, schema)


def train(model, schema):
    """Compiles `model` and trains it for one epoch on `click_frame()`."""
    # Three steps: tracing them would take longer than running them.
    model.compile("adam", "binary_crossentropy", metrics=["auc"], run_eagerly=True)
    model.fit(
        from_frame(click_frame(), schema, batch_size=20), shuffle=False, verbose=0
    )
    return model


def predict(model, schema, frame):
    """Scores computed as in training: with `tf.data` and `model.predict`."""
    batches = from_frame(frame, schema, labelled=False)
    return model.predict(batches, verbose=0)[:, 0]


def tree(directory):
    """The paths of all files and folders below `directory`, sorted."""
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*"))
