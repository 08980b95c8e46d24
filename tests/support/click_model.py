"""A small model with one table, for the tests of optimizers and their processes."""

import keras
import numpy as np

from tf_ctr.layers import Embedding

ROWS, DIM = 12, 3


def click_model(optimizer, table=Embedding, auto_scale_loss=True):
    """Two ids, looked up in one table of `table`, and a compiled prediction layer."""
    inputs = keras.Input((2,), dtype="int64")
    x = table(ROWS, DIM, embeddings_initializer="ones", name="item")(inputs)
    x = keras.layers.Dense(1, "sigmoid", kernel_initializer="ones", dtype="float32")(
        keras.layers.Flatten()(x)
    )
    model = keras.Model(inputs, x)
    model.compile(optimizer, "binary_crossentropy", auto_scale_loss=auto_scale_loss)
    return model


def clicks(seed=0, size=48):
    """Random pairs of ids, and labels."""
    rng = np.random.default_rng(seed)
    return rng.integers(ROWS, size=(size, 2)), rng.integers(2, size=(size, 1)) * 1.0


def fit(model, epochs=1, **kwargs):
    """Trains a model for three batches per epoch; returns its weights."""
    x, y = clicks()
    model.fit(x, y, 16, epochs=epochs, shuffle=False, verbose=0, **kwargs)
    return model.get_weights()
