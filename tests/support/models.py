"""Small functional models for tests, without a schema."""

import keras
import numpy as np

from tf_ctr.layers import CrossLayer, Embedding, MaskedPooling

ROWS = {"user": 7, "item": 11}


def two_tower_inputs():
    """Inputs: two ids, a history of items, a numeric."""
    return {
        "user": keras.Input((), dtype="int64", name="user"),
        "item": keras.Input((), dtype="int64", name="item"),
        "history": keras.Input((3,), dtype="int64", name="history"),
        "price": keras.Input((1,), name="price"),
    }


def small_dcn(batch_norm=False, seed=0):
    """A DCN by the naming rules, with a shared table and random weights."""
    keras.utils.set_random_seed(seed)
    inputs = two_tower_inputs()
    tables = {
        name: Embedding(rows, 4, "normal", name=f"{name}_embedding")
        for name, rows in ROWS.items()
    }
    history = tables["item"](inputs["history"])
    pooled = MaskedPooling(name="history_pooling")(history, inputs["history"])
    vectors = [tables[name](inputs[name]) for name in ROWS]
    x0 = keras.layers.Concatenate(name="embeddings")(
        [*vectors, pooled, inputs["price"]]
    )
    x = x0
    for i in range(2):
        x = CrossLayer(bias_initializer="normal", name=f"cross_{i}")(x0, x)
    h = x0
    for i in range(2):
        h = _deep(i, batch_norm)(h)
    x = keras.layers.Concatenate(name="interactions")([x, h])
    x = keras.layers.Dense(1, name="logit")(x)
    click = keras.layers.Activation("sigmoid", name="click")(x)
    return keras.Model(inputs, click, name="small_dcn")


def _deep(i, batch_norm):
    if not batch_norm:
        return keras.layers.Dense(5, "relu", name=f"deep_{i}")
    return keras.Sequential(
        [
            keras.layers.Dense(5, name="dense"),
            keras.layers.BatchNormalization(momentum=0.5, name="norm"),
            keras.layers.Activation("relu", name="activation"),
        ],
        name=f"deep_{i}",
    )


def batch(rows=16, seed=1):
    """Random features and labels for `small_dcn`, history padded at the end."""
    rng = np.random.default_rng(seed)
    history = rng.integers(1, ROWS["item"], (rows, 3))
    history[rng.random(rows) < 0.3, 1:] = 0
    history[0] = 0
    features = {
        "user": rng.integers(0, ROWS["user"], rows),
        "item": rng.integers(0, ROWS["item"], rows),
        "history": history,
        "price": rng.normal(size=(rows, 1)).astype("float32"),
    }
    return features, rng.integers(0, 2, rows).astype("float32")


def randomised(model, seed=0):
    """Gives every weight of a model or layer a random value, in place; returns it."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        value = rng.normal(scale=0.6, size=weight.shape)
        weight.assign(np.abs(value) + 0.1 if "variance" in weight.name else value)
    return model


def weights_by_layer(model):
    """Returns `{layer: its weights}` of the layers that have some."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def check_every_weight_learns(model, name, steps=2):
    """Raises unless a few steps of training move every weight of a layer."""
    features, labels = batch()
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", run_eagerly=True)
    layer = model.get_layer(name)
    before = layer.get_weights()
    for _ in range(steps):
        model.train_on_batch(features, labels)
    for old, new in zip(before, layer.get_weights(), strict=True):
        assert not np.array_equal(old, new)
