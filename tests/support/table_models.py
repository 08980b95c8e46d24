"""Models of one item table under changing vocabularies, for warm starts."""

import keras
import numpy as np
import pandas as pd

from tf_ctr.features import Categorical, Schema, Sequence
from tf_ctr.layers import Embedding, MaskedPooling
from tf_ctr.optimizers import SparseAdam

OLD, NEW = ("a", "b", "c"), ("d", "c", "a", "e")


def schema(vocabulary=OLD, num_oov=1):
    """A schema of an item and of a history of items."""
    item = Categorical("item", vocabulary=list(vocabulary), num_oov=num_oov)
    return Schema([item, Sequence("history", of="item", max_length=2)])


def model_of(schema, dim=2, hidden=3, dropout=0.0, **layers):
    """A model of one shared table, a first-order table and BatchNorm."""
    inputs, rows = schema.inputs(), schema.field("item").table_size
    table = Embedding(rows, dim, "normal", name="item_embedding")
    history = table(inputs["history"])
    pooled = MaskedPooling(name="history_pooling")(history, inputs["history"])
    x = keras.layers.Concatenate(name="embeddings")([table(inputs["item"]), pooled])
    x = keras.Sequential(
        [
            keras.layers.Dense(hidden, name="dense"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dropout(dropout, seed=5, name="dropout"),
        ],
        name="deep_0",
    )(x)
    logit = keras.layers.Dense(1, name=layers.get("logit", "logit"))(x)
    linear = Embedding(rows, 1, "normal", name="item_linear")(inputs["item"])
    click = keras.layers.Activation("sigmoid", name="click")(logit + linear)
    return keras.Model(inputs, click)


def data(schema, items="abcab", seed=0):
    """Encoded features of some items, each with the two before it as history."""
    frame = pd.DataFrame({"item": list(items)})
    frame["history"] = [list(items[max(0, i - 2) : i]) for i in range(len(items))]
    labels = np.random.default_rng(seed).integers(0, 2, len(items))
    features = schema.encode(schema.raw_columns(frame))
    return features, labels.astype("float32")


def trained(schema, optimizer=None, **options):
    """A model after two steps."""
    model = model_of(schema, **options)
    optimizer = SparseAdam(0.1) if optimizer is None else optimizer
    model.compile(optimizer, "binary_crossentropy", run_eagerly=True)
    for _ in range(2):
        model.train_on_batch(*data(schema))
    return model


def weights(model, name):
    """The weights of a layer."""
    return [np.array(w) for w in model.get_layer(name).get_weights()]


def table(model, name="item_embedding"):
    """The rows of a table."""
    return weights(model, name)[0]
