"""Differences between two versions: scores, size and latency on the same rows."""

import functools
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.features.reading import in_memory
from tf_ctr.rows import Source
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.reference import raw_columns, scores_in_batches
from tf_ctr.serving.sealing import check_served_files
from tf_ctr.serving.untrusted.trial import try_in_cpp
from tf_ctr.serving.version import (
    EXTRA,
    check_version_directory,
    load_schema,
)
from tf_ctr.serving.wire.signatures import DEFAULT, click_of

NUM_ROWS = 256

BATCH_SIZES = (1, 64, 1024)

ROUNDS = 50

WARM_UP_ROUNDS = 10


class Latency(NamedTuple):
    """Median seconds of a call at one batch size.

    Attributes:
        first: Of the first version.
        second: Of the second version.
        again: Of the first version, timed as if it were a third one, to show the noise.
    """

    first: float
    second: float
    again: float

    @property
    def ratio(self) -> float:
        """The seconds of the second version over those of the first."""
        return self.second / self.first

    @property
    def noise(self) -> float:
        """The same ratio of the first version to itself; 1 without noise."""
        return self.again / self.first


class Differences(NamedTuple):
    """The result of `diff`.

    Attributes:
        rows: How many rows were scored.
        scores: The scores of both versions, `(array [N], array [N])`; with L labels
            `[N, L]` each.
        bytes: What the server reads of each: all but `assets.extra`.
        latency: `{batch size: Latency}`.
        labels: The labels of the columns of `scores`, if there are several.
    """

    rows: int
    scores: tuple[np.ndarray, np.ndarray]
    bytes: tuple[int, int]
    latency: Mapping[int, Latency]
    labels: Sequence[str] = ()

    def of_label(self, label: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns the scores of both versions for a label, `[N]` each.

        Args:
            label: The label; any name if there is only one.
        """
        if not self.labels:
            return self.scores
        index = self.labels.index(label)
        first, second = (scores[:, index] for scores in self.scores)
        return first, second

    @property
    def largest(self) -> float:
        """The largest difference of a score."""
        return float(np.max(np.abs(np.subtract(*self.scores))))

    def __str__(self) -> str:
        lines = []
        for label in self.labels or ("",):
            first, second = self.of_label(label)
            difference = np.abs(first - second)
            correlation = _rank_correlation(first, second)
            name = f" for {label}" if label else ""
            lines += [
                f"scores of {self.rows} rows{name}: largest difference "
                f"{np.max(difference):.2e}, mean {np.mean(difference):.2e}, rank "
                f"correlation {correlation:.4f}",
                f"mean score{name}: {np.mean(first):.4f} -> {np.mean(second):.4f}",
            ]
        lines += [
            f"size: {self.bytes[0] / 1e6:.2f} MB -> {self.bytes[1] / 1e6:.2f} MB "
            f"(x{self.bytes[1] / self.bytes[0]:.2f})",
        ]
        lines += [
            f"latency at batch {size}: {1e3 * each.first:.2f} ms -> "
            f"{1e3 * each.second:.2f} ms (x{each.ratio:.2f}; noise x{each.noise:.2f})"
            for size, each in self.latency.items()
        ]
        return "\n".join(lines)


def _rank_correlation(first, second):
    """Spearman's: the correlation of the ranks, equal scores sharing their mean."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    ranks = [pd.Series(scores).rank() for scores in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def diff(
    first: str | os.PathLike,
    second: str | os.PathLike,
    frame: Source | None = None,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    rounds: int = ROUNDS,
    trust: bool = False,
) -> Differences:
    """Returns how two versions differ on the same rows.

    Latency is that of `serving_default` in a session of this process, on the CPU,
    without a network. The versions take turns in random order, and the first is timed
    twice.

    Args:
        first: A version directory.
        second: Another one. Each reads the fields that its own schema names.
        frame: Raw rows: a pandas frame, a path, or rows of any kind that
            `tf_ctr.data.rows` opens. `None` draws 256 rows from the schema of the first
            version.
        batch_sizes: Batch sizes to time; none for no latency.
        rounds: How often each call is timed.
        trust: Run the versions whatever their operations do. Otherwise they are read
            first, and refused if they could do more than compute; then each runs on the
            rows in a process with limits of memory and time.

    Returns:
        A `Differences`.

    Raises:
        ValueError: If a version is damaged or lacks its schema, or the rows lack a
            field of either; if it could do more than compute, or takes too long; or if
            one of them has several labels and the other has not the same.
        RuntimeError: If a version fails, e.g. because it asks for too much memory.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> diff("savedmodels/no-such-model/1", "savedmodels/no-such-model/2")
    Traceback (most recent call last):
    ValueError: Expected a version directory, with a saved_model.pb...
    """
    schemas = [load_schema(version) for version in (first, second)]
    labels = _labels(schemas)
    if frame is None:
        frame = schemas[0].example_rows(NUM_ROWS)
    fields = [field for schema in schemas for field in schema.fields]
    rows = in_memory(frame, fields)
    columns = [raw_columns(schema, rows) for schema in schemas]
    for version, raw in zip((first, second), columns, strict=True):
        check_served_files(version)
        if not trust:
            try_in_cpp(version, {DEFAULT: raw})
    with SessionLoader(first) as one, SessionLoader(second) as other:
        served = [functools.partial(each, DEFAULT) for each in (one, other)]
        scores = [_scores(*each) for each in zip(served, columns, strict=True)]
        latency = {n: _latency(served, columns, n, rounds) for n in batch_sizes}
    sizes = served_bytes(first), served_bytes(second)
    return Differences(len(rows), (scores[0], scores[1]), sizes, latency, labels)


def _labels(schemas):
    """The labels of both versions, as their scores are ordered; none if there is one.

    Raises:
        ValueError: If only one has several, or they are others.
    """
    several = [
        sorted(schema.label_names) if schema.outcomes.several else []
        for schema in schemas
    ]
    if several[0] != several[1]:
        raise ValueError(
            explain(
                "two versions with the same labels",
                " and ".join(str([*schema.label_names]) for schema in schemas),
                "compare each with a version of its own labels",
            )
        )
    return several[0]


def _scores(served, columns):
    return scores_in_batches(
        lambda raw: click_of(served({k: v.numpy() for k, v in raw.items()})), columns
    )


def _latency(served, columns, batch_size, rounds):
    requests = [_repeated(each, batch_size) for each in columns]
    first, second = map(functools.partial, served, requests)
    # A function of its own, so that the first version is timed as another one is.
    again = functools.partial(served[0], requests[0])
    seconds = interleaved({"first": first, "second": second, "again": again}, rounds)
    return Latency(**seconds)


def served_bytes(version: str | os.PathLike) -> int:
    """Returns the bytes of the files that the server reads.

    Args:
        version: A version directory.
    """
    version = check_version_directory(version)
    extra = version / EXTRA
    files = (path for path in version.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if extra not in path.parents)


def interleaved(
    calls: Mapping[str, Callable[[], Any]], rounds: int = ROUNDS
) -> dict[str, float]:
    """Returns the median seconds of each call.

    The calls take turns in an order that is drawn again for every round. In a fixed
    order, the call before slows a call down or speeds it up by up to a quarter.

    Args:
        calls: `{name: function without arguments}`.
        rounds: How often each is timed.

    Example:

    >>> sorted(interleaved({"a": lambda: None, "b": lambda: None}, rounds=2))
    ['a', 'b']
    """
    names = list(calls)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    order = random.Random(0)
    for i in range(WARM_UP_ROUNDS + rounds):
        order.shuffle(names)
        for name in names:
            start = time.perf_counter()
            calls[name]()
            if i >= WARM_UP_ROUNDS:
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def call_of(
    signature: Callable[..., Mapping[str, tf.Tensor]],
    columns: Mapping[str, np.ndarray],
    batch_size: int,
) -> Callable[[], list[np.ndarray]]:
    """Returns a function that runs a signature on a batch, and waits for the scores.

    Args:
        signature: A signature of `tf.saved_model.load`.
        columns: `{field: array [N, ...]}`, raw; repeated if there are too few.
        batch_size: Rows of the batch.
    """
    batch = _repeated(columns, batch_size)
    tensors = {name: tf.constant(values) for name, values in batch.items()}
    return lambda: [output.numpy() for output in signature(**tensors).values()]


def _repeated(columns, batch_size):
    """As many rows, repeated if there are too few."""
    rows = np.arange(batch_size) % len(next(iter(columns.values())))
    return {name: values[rows] for name, values in columns.items()}
