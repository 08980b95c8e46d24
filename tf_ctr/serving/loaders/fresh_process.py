"""Scores raw columns with a SavedModel, knowing nothing but TensorFlow.

Run by its path in a process of its own, where neither tf_ctr nor Keras can be
imported: what a server has. `tf_ctr.serving.parity` starts it.

    python -P fresh_process.py SAVED_MODEL COLUMNS.npz SCORES.npy
"""

import sys

import numpy as np

if __name__ == "__main__":
    # TensorFlow imports an installed Keras by itself; None makes any import fail.
    sys.modules.update(keras=None, tf_ctr=None)

import tensorflow as tf


def saved_model_scores(loaded, columns):
    """Returns the scores `[N]` by the `serving_default` signature of a SavedModel."""
    serve = loaded.signatures["serving_default"]
    return scores_in_batches(lambda raw: serve(**raw)["click"], columns)


def scores_in_batches(score, columns, batch_size=1024):
    """Returns `score({name: tensor})` over all rows of `{name: array [N, ...]}`."""
    num_rows = len(next(iter(columns.values())))
    scores = []
    for start in range(0, num_rows, batch_size):
        rows = slice(start, start + batch_size)
        batch = {name: tf.constant(column[rows]) for name, column in columns.items()}
        scores.append(score(batch).numpy())
    return np.concatenate(scores)


def main(saved_model, columns_file, scores_file):
    """Scores the columns of one file into another."""
    with np.load(columns_file, allow_pickle=False) as arrays:
        names = arrays["names"].tolist()
        columns = {name: arrays[f"column_{i}"] for i, name in enumerate(names)}
    loaded = tf.saved_model.load(saved_model)  # Owns the weights: keep it to the end.
    np.save(scores_file, saved_model_scores(loaded, columns))


if __name__ == "__main__":
    main(*sys.argv[1:])
