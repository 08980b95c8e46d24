"""A small log, and the models that are trained on it, by one worker or by several."""

import pathlib

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

import tf_ctr

MODELS = ("dcn", "autoft", "ctnet", "apg", "din")
# Rows of a step on all workers.
GLOBAL = 64


def frame(rows: int, seed: int) -> pd.DataFrame:
    """Returns impressions whose ids repeat in every batch."""
    rng = np.random.default_rng(seed)
    user, item = ((rng.zipf(1.3, rows) - 1) % count for count in (50, 30))
    rate = 1 / (1 + np.exp(-(np.sin(user) + np.cos(item * 1.7) - 1)))
    return pd.DataFrame(
        {
            "user": user,
            "item": item,
            "tags": [list(rng.integers(0, 9, n)) for n in rng.integers(0, 4, rows)],
            "price": rng.normal(size=rows),
            "history": [list(rng.integers(0, 30, n)) for n in rng.integers(0, 5, rows)],
            "click": (rng.random(rows) < rate).astype(int),
        }
    )


def schema() -> tf_ctr.Schema:
    """Returns the schema of `frame`, fitted."""
    fields = [
        tf_ctr.Categorical("user"),
        tf_ctr.Categorical("item", dtype="int64"),
        tf_ctr.Categorical("tags", multivalent=True, max_length=4),
        tf_ctr.Numeric("price"),
        tf_ctr.Sequence("history", of="item", max_length=5),
    ]
    return tf_ctr.Schema(fields, label="click", group="user").fit(frame(2000, seed=9))


def own_batches(
    rows: pd.DataFrame, of: tf_ctr.Schema, shard: tuple[int, int]
) -> tf.data.Dataset:
    """Returns the part of each global batch that one worker trains on."""
    index, count = shard
    size = GLOBAL // count
    own = rows[np.arange(len(rows)) // size % count == index]
    return tf_ctr.data.from_frame(own, of, batch_size=size)


def build(name: str, of: tf_ctr.Schema, seed: int = 1) -> keras.Model:
    """Returns a compiled model."""
    keras.utils.set_random_seed(seed)
    if name == "din":
        return tf_ctr.training.compile(tf_ctr.backbones.din(of, 4, (8, 4)))
    source = tf_ctr.backbones.dcn(of, 4, (8, 4), batch_norm=name == "batch_norm")
    if name in ("dcn", "batch_norm"):
        return tf_ctr.training.compile(source)
    if name == "apg":
        return tf_ctr.training.compile(
            tf_ctr.transfer.apg(source, condition="user", rank=2)
        )
    method = {"autoft": tf_ctr.transfer.autoft, "ctnet": tf_ctr.transfer.ctnet}[name]
    return tf_ctr.training.compile(method(source))


def fit(
    model: keras.Model,
    of: tf_ctr.Schema,
    shard: tuple[int, int],
    steps: int,
    epochs: int,
    run_dir: pathlib.Path | None = None,
) -> dict[str, list[float]]:
    """Trains on the rows of one worker; returns the metrics by epoch."""
    validation = own_batches(frame(4 * GLOBAL, seed=2), of, shard)
    chosen = tf_ctr.training.callbacks(run_dir, validation, schema=of)
    history = model.fit(
        own_batches(frame(steps * GLOBAL, seed=1), of, shard),
        validation_data=validation,
        epochs=epochs,
        callbacks=chosen,
        shuffle=False,
        verbose=0,
    )
    return history.history
