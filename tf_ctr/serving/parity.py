"""The exported scores against the training model's, on rows as users have them."""

import sys
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.serving.loaders import cpp as cpp_loader
from tf_ctr.serving.loaders import fresh_process
from tf_ctr.serving.loaders import ways as loaders
from tf_ctr.serving.loaders.fresh_process import saved_model_scores
from tf_ctr.serving.loaders.ways import run_program
from tf_ctr.serving.reference import raw_columns, training_scores
from tf_ctr.serving.version import (
    load_schema,
    load_served,
    read_meta_graph,
    shape,
    signatures,
)
from tf_ctr.serving.wire.names import DEFAULT
from tf_ctr.serving.wire.requests import (
    click_of,
    rows_of,
    signature_inputs,
    signature_names,
)

TOLERANCE = 1e-6

NUM_ROWS = 256

WAYS = {
    "this process": loaders.in_this_process,
    "fresh process": loaders.in_fresh_process,
    "v1 session": loaders.in_session,
    "C++ loader": loaders.in_cpp,
}


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


class Agreement(NamedTuple):
    """The result of `compare_ways`.

    Attributes:
        rows: How many rows were scored.
        differences: `{way: {signature: largest difference from the Keras model}}`.
        skipped: `{way: reason}`.
    """

    rows: int
    differences: dict
    skipped: dict

    @property
    def largest(self) -> float:
        """The largest difference of all; NaN if any is, or nothing was run."""
        values = [v for each in self.differences.values() for v in each.values()]
        return float(np.max(values)) if values else float("nan")

    @property
    def agrees(self) -> bool:
        """Whether all differences are within 1e-6."""
        return self.largest <= TOLERANCE

    def __str__(self):
        lines = [
            f"{way:14}{name:18}{difference:.2e}"
            for way, of_way in self.differences.items()
            for name, difference in of_way.items()
        ]
        lines += [f"{way:14}skipped: {why}" for way, why in self.skipped.items()]
        lines.append(f"Largest difference over {self.rows} rows: {self.largest:.2e}")
        return "\n".join(lines)


def compare_ways(version, frame=None, model=None, ways=tuple(WAYS)) -> Agreement:
    """Returns how far the scores of a version are from those of its Keras model.

    Every signature that rows can be given to is run in every way, on the CPU.

    Args:
        version: A version directory.
        frame: Raw rows. `None` takes 256 of `schema.example_rows`.
        model: The model in memory, to compare with it instead of the `.keras` file;
            the file is one more way then.
        ways: Those of `WAYS` to try. The C++ loader is skipped, with the reason, where
            it cannot be built.

    Returns:
        An `Agreement`.

    Raises:
        ValueError: If the version is damaged or lacks its model or schema, or the rows
            do not fit the schema.
        RuntimeError: If a way fails to load or run it.

    Example:

    >>> compare_ways("savedmodels/no-such-model/1")
    Traceback (most recent call last):
    ValueError: Expected a version directory, with a saved_model.pb...
    """
    meta_graph = read_meta_graph(version)
    schema, reloaded = load_schema(version), load_served(version)
    if frame is None:
        frame = schema.example_rows(NUM_ROWS)
    feeds = signature_feeds(meta_graph, schema, raw_columns(schema, frame))
    expected = _keras_scores(reloaded if model is None else model, schema, feeds)
    differences, skipped = {}, {}
    if model is not None:
        scores = _keras_scores(reloaded, schema, feeds)
        differences["reloaded .keras"] = _largest(scores, expected)
    tensors = {name: feed.tensors for name, feed in feeds.items()}
    for way in ways:
        if way == "C++ loader" and (reason := cpp_loader.why_not()):
            skipped[way] = reason
            continue
        outputs = WAYS[way](version, tensors)
        scores = {name: click_of(of_name) for name, of_name in outputs.items()}
        differences[way] = _largest(scores, expected)
    return Agreement(len(frame), differences, skipped)


def _keras_scores(model, schema, feeds):
    """The model's scores of the rows behind each feed, on the CPU."""
    scores = {}  # Most feeds stand for the same rows, which are scored once.
    with tf.device("/CPU:0"):
        for feed in feeds.values():
            key = id(feed.columns)
            if key not in scores:
                scores[key] = training_scores(model, schema, feed.columns)
    return {name: scores[id(feed.columns)] for name, feed in feeds.items()}


def _largest(scores, expected):
    return {
        name: float(np.max(np.abs(scores[name].astype("float64") - expected[name])))
        for name in expected
    }


class Feed(NamedTuple):
    """A request to one signature, and the rows that it stands for.

    Attributes:
        tensors: `{input: array}` of the request.
        columns: `{field: array [N, ...]}`: the rows, raw.
    """

    tensors: dict
    columns: dict


def signature_feeds(meta_graph, schema, columns):
    """Returns `{signature: Feed}` for the signatures that rows can be given to.

    Args:
        meta_graph: The `MetaGraphDef` of a version.
        schema: Its fitted `tf_ctr.Schema`.
        columns: `{field: array [N, ...]}`, raw, strings as bytes.
    """
    found = signatures(meta_graph)
    items = _item_fields(found)
    return {
        name: Feed(
            signature_inputs(name, columns, schema, items),
            rows_of(name, columns, items),
        )
        for name in signature_names(schema, items)
        if name in found
    }


def _item_fields(found):
    """Those with more dimensions in `candidates` than in `serving_default`."""
    if not {"candidates", "serving_default"} <= set(found):
        return []
    inputs = found["candidates"].inputs
    alone = found["serving_default"].inputs
    return [key for key in inputs if len(shape(inputs[key])) > len(shape(alone[key]))]
