"""The scores of a version by every way to load it, against the Keras model's."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_ctr.evaluation import raw_columns, training_scores
from tf_ctr.export import cpp_loader, loaders
from tf_ctr.export.beside import load_schema, load_served
from tf_ctr.export.feeds import signature_feeds
from tf_ctr.export.meta_graph import read_meta_graph
from tf_ctr.export.parity import TOLERANCE
from tf_ctr.export.requests import click_of

NUM_ROWS = 256
WAYS = {
    "this process": loaders.in_this_process,
    "fresh process": loaders.in_fresh_process,
    "v1 session": loaders.in_session,
    "C++ loader": loaders.in_cpp,
}


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
