"""The scores that every way of serving must give: those of the model in training.

Export and `tf_ctr.serving.parity` compare a version with them, on raw columns: what a
request carries.
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.features import Schema


def training_scorer(
    model: keras.Model, schema: Schema
) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Returns the function from raw columns to scores, as training computes them.

    It encodes, then runs the model, on the CPU: the reduced-precision products of a
    GPU differ by more than an error in the export would. It is traced for any batch
    size, like the export: eager execution, and a trace for one size, round
    differently, at times by more than the tolerance.

    Args:
        model: A `keras.Model` of the schema's encoded fields.
        schema: The fitted schema.

    Returns:
        A function of `{field: array [B, ...]}`, as `raw_columns` gives, to `[B]`, or to
        `[B, L]` for L labels, in the order of their names.
    """
    signature = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in schema.inputs().items()
    }

    @tf.function(input_signature=[signature], autograph=False)
    def predict(encoded):
        scores = model(encoded, training=False)
        if not isinstance(scores, dict):
            return tf.cast(tf.reshape(scores, [-1]), tf.float32)
        columns = [tf.reshape(scores[name], [-1]) for name in sorted(scores)]
        return tf.cast(tf.stack(columns, axis=1), tf.float32)

    def scores(columns: Mapping[str, np.ndarray]) -> np.ndarray:
        with tf.device("/CPU:0"):
            traced = predict.get_concrete_function()
            return scores_in_batches(
                lambda raw: traced(schema.encode(raw)).numpy(), columns
            )

    return scores


def training_scores(
    model: keras.Model, schema: Schema, columns: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Returns the scores `[B]` or `[B, L]` of raw columns, by `training_scorer`."""
    return training_scorer(model, schema)(columns)


def raw_columns(schema: Schema, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Returns `{field: array [B, ...]}` of a frame, with strings as bytes.

    A `TensorProto`, which requests and a fresh process carry, holds strings as bytes.
    """
    return {
        name: np.char.encode(column.astype(str), "utf-8")
        if column.dtype == object
        else column
        for name, column in schema.raw_columns(frame).items()
    }


def scores_in_batches(
    score: Callable[[dict[str, tf.Tensor]], np.ndarray],
    columns: Mapping[str, np.ndarray],
    batch_size: int = 1024,
) -> np.ndarray:
    """Returns the scores `[N]` or `[N, L]` of all rows, computed a batch at a time.

    Args:
        score: A function of `{field: tensor [B, ...]}` to scores `[B]` or `[B, L]`.
        columns: `{field: array [N, ...]}`, raw.
        batch_size: Rows of a batch; only memory and speed depend on it.
    """
    num_rows = len(next(iter(columns.values())))
    scores = []
    for start in range(0, num_rows, batch_size):
        rows = slice(start, start + batch_size)
        batch = {name: tf.constant(column[rows]) for name, column in columns.items()}
        scores.append(score(batch))
    return np.concatenate(scores)
