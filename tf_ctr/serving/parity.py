"""Parity: whether a version gives its Keras model's scores in every way to load it."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.reading import in_memory
from tf_ctr.rows import Source
from tf_ctr.serving.loaders import process
from tf_ctr.serving.loaders.loader import Loader, Tensors
from tf_ctr.serving.loaders.ways import (
    in_cpp,
    in_fresh_process,
    in_session,
    in_this_process,
)
from tf_ctr.serving.reference import raw_columns, training_scorer
from tf_ctr.serving.sealing import check_served_files
from tf_ctr.serving.untrusted.trial import try_version
from tf_ctr.serving.version import (
    load_schema,
    load_served,
    read_meta_graph,
    shape,
    signatures,
)
from tf_ctr.serving.wire.signatures import (
    CANDIDATES,
    DEFAULT,
    click_of,
    rows_of,
    signature_inputs,
    signature_names,
)

TOLERANCE = 1e-6

NUM_ROWS = 256

# The way that loads the Keras file beside the SavedModel.
KERAS = "reloaded .keras"

FRESH = "fresh process"

CPP = "C++ loader"

# The ways that load the SavedModel.
WAYS = {
    "this process": in_this_process,
    FRESH: in_fresh_process,
    "v1 session": in_session,
    CPP: in_cpp,
}


class Parity(NamedTuple):
    """The result of `compare_ways`.

    Attributes:
        rows: How many rows were scored.
        differences: `{way: {signature: largest difference from the Keras model}}`.
        skipped: `{way: reason}`.
    """

    rows: int
    differences: Mapping[str, Mapping[str, float]]
    skipped: Mapping[str, str]

    @property
    def largest(self) -> float:
        """The largest difference; NaN if any is NaN, or if no way was run."""
        values = [v for each in self.differences.values() for v in each.values()]
        return float(np.max(values)) if values else float("nan")

    @property
    def agrees(self) -> bool:
        """Whether all differences are within 1e-6."""
        return self.largest <= TOLERANCE

    def check(self) -> None:
        """Raises unless all differences are within 1e-6.

        Raises:
            RuntimeError: With each way and signature that differs by more.
        """
        if self.agrees:
            return
        wrong = [
            f"{difference:.3g} ({way}, {name})"
            for way, by_signature in self.differences.items()
            for name, difference in by_signature.items()
            if not difference <= TOLERANCE  # True for NaN.
        ]
        raise RuntimeError(
            explain(
                f"exported scores within {TOLERANCE:g} of the training model's",
                f"a largest difference of {', '.join(wrong) or 'nothing: no way ran'}",
                "look for a layer whose output depends on more than input and weights",
            )
        )

    def __str__(self) -> str:
        lines = [
            f"{way:16}{name:18}{difference:.2e}"
            for way, by_signature in self.differences.items()
            for name, difference in by_signature.items()
        ]
        lines += [f"{way:16}skipped: {why}" for way, why in self.skipped.items()]
        lines.append(f"Largest difference over {self.rows} rows: {self.largest:.2e}")
        return "\n".join(lines)


def compare_ways(
    version: str | os.PathLike,
    frame: Source | None = None,
    model: keras.Model | None = None,
    ways: Sequence[str] = (KERAS, *WAYS),
    schema: Schema | None = None,
    trust: bool = False,
) -> Parity:
    """Returns how far the scores of a version are from those of its Keras model.

    Every signature that rows can be sent to is run in every way, on the CPU.

    Args:
        version: A version directory.
        frame: Raw rows: a pandas frame, a path, or rows of any kind that
            `tf_ctr.data.rows` opens. `None` draws 256 rows from the schema.
        model: The model to compare with. `None` takes the version's Keras file, which
            otherwise is one more way.
        ways: Names of the ways to try: those of `WAYS`, and `KERAS`. The C++ loader is
            skipped, with the reason, where it cannot be built.
        schema: The schema of the version, if it is at hand. `None` reads it.
        trust: Run the version whatever its operations do. Otherwise it is read first,
            and refused if it could do more than compute; then a fresh process with
            limits of memory and time runs it before any other does.

    Returns:
        A `Parity`.

    Raises:
        ValueError: If the version is damaged or lacks its model or schema, or the rows
            do not fit the schema.
        RuntimeError: If a way fails to load or run the version.

    Example:

    >>> compare_ways("savedmodels/no-such-model/1")
    Traceback (most recent call last):
    ValueError: Expected a version directory, with a saved_model.pb...
    """
    schema = load_schema(version) if schema is None else schema
    if frame is None:
        frame = schema.example_rows(NUM_ROWS)
    rows = in_memory(frame, schema.fields)
    asked = _Asked(read_meta_graph(version), schema, raw_columns(schema, rows))
    check_served_files(version)  # Not every way reads the files in this process.
    tried = {} if trust else try_version(version, asked.requests)

    def of_training(model):
        return asked.scores(training_scorer(model, schema))

    expected = of_training(load_served(version) if model is None else model)
    differences, skipped = {}, {}
    for way in ways:
        if way == KERAS:
            if model is None:  # The file is what the other ways are compared with.
                continue
            scores = of_training(load_served(version))
        elif way == CPP and (reason := process.why_not()):
            skipped[way] = reason
            continue
        else:
            done = tried if way == FRESH else None
            scores = _clicks(done or WAYS[way](version, asked.requests))
        differences[way] = _differences(scores, expected)
    return Parity(len(rows), differences, skipped)


def compare_loaded(
    loaded: Loader,
    way: str,
    score: Callable[[Mapping[str, np.ndarray]], np.ndarray],
    schema: Schema,
    columns: Mapping[str, np.ndarray],
) -> Parity:
    """Returns how far the scores of a loaded version are from those of a function.

    Args:
        loaded: The loaded version.
        way: How it was loaded.
        score: The function from raw columns to scores, as `training_scorer` gives.
        schema: The schema of the version.
        columns: `{field: array [N, ...]}`, as `raw_columns` gives.

    Raises:
        ValueError: If the version refuses the rows.
        RuntimeError: If it ends its process.
    """
    asked = _Asked(loaded.meta_graph, schema, columns)
    expected = asked.scores(score)
    found = _differences(_clicks(loaded.run(asked.requests)), expected)
    return Parity(len(next(iter(columns.values()))), {way: found}, {})


class _Asked:
    """The signatures of a version that rows can be sent to, and their requests."""

    def __init__(self, meta_graph, schema, columns):
        found = signatures(meta_graph)
        self.columns, self.items = columns, _item_fields(found)
        self.names = [n for n in signature_names(schema, self.items) if n in found]
        self.requests = {
            name: signature_inputs(name, columns, schema, self.items)
            for name in self.names
        }

    def scores(self, score):
        """`{signature: scores}` by a function of columns."""
        found = dict.fromkeys(self.names, score(self.columns))
        if CANDIDATES in self.names:  # The only one to be asked for other rows.
            found[CANDIDATES] = score(rows_of(CANDIDATES, self.columns, self.items))
        return found


def _clicks(outputs: Tensors) -> dict[str, np.ndarray]:
    return {name: click_of(each) for name, each in outputs.items()}


def _differences(scores, expected):
    return {
        name: float(np.max(np.abs(scores[name].astype("float64") - expected[name])))
        for name in expected
    }


def _item_fields(found: Mapping[str, meta_graph_pb2.SignatureDef]) -> Collection[str]:
    """Returns the items' fields: only they have a dimension more in `candidates`."""
    if not {CANDIDATES, DEFAULT} <= set(found):
        return []
    one, many = found[DEFAULT].inputs, found[CANDIDATES].inputs
    return [
        key
        for key, info in many.items()
        if len(shape(info) or ()) > len(shape(one[key]) or ())
    ]
