"""The exported scores against the training model's, on rows as users have them."""

import sys

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.export import fresh_process
from tf_ctr.export.fresh_process import saved_model_scores
from tf_ctr.export.programs import run_program
from tf_ctr.export.requests import click_of, rows_of, signature_inputs
from tf_ctr.export.signatures import DEFAULT

TOLERANCE = 1e-6


def score_differences(score, columns, loaded, saved_model, workspace, fresh=True):
    """Returns the largest difference of each way to score from the model's.

    Args:
        score: The model's scores, by `training_scorer`.
        columns: `{field: array [N, ...]}`, as `raw_columns` gives.
        loaded: The SavedModel, by `tf.saved_model.load`.
        saved_model: Its directory.
        workspace: A directory for the files that the fresh process reads and writes.
        fresh: Whether to score in a fresh process too.

    Returns:
        `{way: difference}`.

    Raises:
        ValueError: If the model's scores are not probabilities.
        RuntimeError: If a difference is above 1e-6, or the fresh process fails.
    """
    expected = score(columns)
    _check_probabilities(expected)
    with tf.device("/CPU:0"):
        scores = {"reloaded": saved_model_scores(loaded, columns)}
    if fresh:
        scores["fresh process"] = _fresh_scores(columns, saved_model, workspace)
    return {way: _difference(way, values, expected) for way, values in scores.items()}


def signature_differences(score, schema, columns, loaded, item_fields):
    """Returns the largest difference of each further signature from the model.

    Args:
        score: The model's scores, by `training_scorer`.
        schema: The fitted schema.
        columns: `{field: array [N, ...]}`, as `raw_columns` gives.
        loaded: The SavedModel, by `tf.saved_model.load`.
        item_fields: The items' fields: `candidates` scores the user of the first row
            with the items of all.

    Returns:
        `{signature: difference}`.

    Raises:
        RuntimeError: If a difference is above 1e-6.
    """
    differences = {}
    for name in sorted(set(loaded.signatures) - {DEFAULT}):
        expected = score(rows_of(name, columns, item_fields))
        inputs = signature_inputs(name, columns, schema, item_fields)
        with tf.device("/CPU:0"):
            tensors = {key: tf.constant(value) for key, value in inputs.items()}
            scores = click_of(loaded.signatures[name](**tensors))
        differences[name] = _difference(name, scores, expected)
    return differences


def _fresh_scores(columns, saved_model, workspace):
    columns_file, scores_file = workspace / "columns.npz", workspace / "scores.npy"
    # Numbered: a field may be called as an argument of savez.
    numbered = {f"column_{i}": values for i, values in enumerate(columns.values())}
    np.savez(columns_file, names=list(columns), **numbered)
    # -P keeps the script's neighbours from shadowing installed modules.
    arguments = [fresh_process.__file__, saved_model, columns_file, scores_file]
    run_program(
        [sys.executable, "-P", *arguments],
        "the SavedModel to load and score in a fresh process",
    )
    return np.load(scores_file, allow_pickle=False)


def _check_probabilities(scores):
    if not (np.min(scores) >= 0 and np.max(scores) <= 1):  # False for NaN.
        raise ValueError(
            explain(
                "click probabilities in [0, 1]",
                f"scores from {np.min(scores)} to {np.max(scores)}",
                "end the model with a sigmoid, and train it without divergence",
            )
        )


def _difference(way, scores, expected):
    difference = float(np.max(np.abs(scores.astype("float64") - expected)))
    if not difference <= TOLERANCE:
        raise RuntimeError(
            explain(
                f"exported scores within {TOLERANCE:g} of the training model's",
                f"a largest difference of {difference:.3g} ({way})",
                "look for a layer whose output depends on more than input and weights",
            )
        )
    return difference
