"""Scores rows of any size, and keeps some values of each."""

import contextlib
import functools
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.data import from_frame
from tf_ctr.data.batching import batches, with_cardinality
from tf_ctr.data.packing import Packing
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_columns, check_rows
from tf_ctr.features.reading import needed_columns, rows_of
from tf_ctr.rows import Source
from tf_ctr.rows.parts import located
from tf_ctr.surgery.same_ids import check_same_ids

# Values that are kept of each row, by name: a column, and how to read it of a frame.
Kept = Mapping[str, tuple[str, Callable[[pd.DataFrame], np.ndarray]]]


def score_rows(
    model: keras.Model,
    data: Source,
    schema: Schema,
    kept: Kept,
    batch_size: int = 8192,
    verbose: int | str = 0,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns the scores of every row by label, and values that were kept of them.

    The rows are read once, so that an iterator will do.

    Args:
        model: As for `predict`.
        data: Rows of any kind.
        schema: The fitted `Schema` of the model.
        kept: The values to keep.
        batch_size: As for `predict`.
        verbose: As for `predict`.

    Returns:
        `{label: scores [B]}`, and `{name: values [B]}`.

    Raises:
        ValueError: As `predict_by_label`.
        TypeError: As `predict`.
    """
    check_same_ids(model, schema)
    if isinstance(data, pd.DataFrame):
        # Before the model runs, which may take long, so that a bad label fails at once.
        values = {name: read(data) for name, (_, read) in kept.items()}
        dataset = from_frame(data, schema, batch_size=batch_size, labelled=False)
        with expected_tracing():
            predicted = model.predict(dataset, verbose=verbose)
        return scores_by_label(predicted, schema, len(data)), values
    opened = rows_of(data, schema.fields)
    columns = needed_columns(schema.fields, [column for column, _ in kept.values()])
    check_rows(1 if opened.count is None else opened.count)
    packing = Packing(schema, labelled=False)
    columns_kept = {name: _Column(opened.count) for name in kept}
    failures: list[Exception] = []

    def check(header):
        check_columns(header, columns)
        packing.check(header)

    count = 0

    def packed():
        nonlocal count
        try:
            for place, frame in opened.frames(columns, check):
                count += len(frame)
                with located(place):
                    for name, (_, read) in kept.items():
                        columns_kept[name].add(read(frame))
                    block = packing.pack_frame(frame)
                yield block
            check_rows(count)
        except Exception as error:
            failures.append(error)
            raise

    blocks = tf.data.Dataset.from_generator(packed, output_signature=packing.signature)
    dataset = batches(blocks, packing, batch_size, 0, 0, drop_remainder=False)
    if opened.count is not None:
        dataset = with_cardinality(dataset, opened.count, batch_size, False)
    try:
        with warnings.catch_warnings():
            # Keras warns at the end of any data of which it did not know the length.
            warnings.filterwarnings("ignore", "Your input ran out of data")
            with expected_tracing():
                scores = model.predict(dataset, verbose=verbose)
    except tf.errors.OpError:
        if failures:  # TensorFlow has made a text of it.
            raise failures[0] from None
        raise
    values = {name: each.values() for name, each in columns_kept.items()}
    return scores_by_label(scores, schema, count), values


def scores_by_label(predicted: Any, schema: Schema, rows: int) -> dict[str, np.ndarray]:
    """Returns what a model predicted as `{label: scores [B]}`.

    Args:
        predicted: The output of a model, `[B]`, `[B, 1]` or `{label: ...}`. There may
            be more outputs than the schema has labels.
        schema: The schema.
        rows: The number of rows B.

    Raises:
        ValueError: Unless there is a score per label and row.
    """
    names = schema.label_names
    if not isinstance(predicted, dict) and len(names) == 1:
        predicted = {names[0]: predicted}
    if not isinstance(predicted, dict) or not set(names) <= set(predicted):
        received = sorted(predicted) if isinstance(predicted, dict) else "one output"
        raise ValueError(
            explain(
                f"a model with an output for each label: {', '.join(names)}",
                received,
                "build it with tf_ctr.joint, e.g. joint.share_bottom(schema), or pass "
                "schema.for_label(...) for a model of one label",
            )
        )
    return {name: _flat(predicted[name], rows) for name in names}


class _Column:
    """Values that come in pieces; written to their place if their number is known.

    Args:
        count: The number of values, or `None`.
    """

    def __init__(self, count: int | None):
        self._count, self._filled = count, 0
        self._pieces: list[np.ndarray] = []

    def add(self, piece: np.ndarray) -> None:
        """Adds a piece."""
        if self._count is None:
            self._pieces.append(piece)
            return
        if not self._pieces:
            self._pieces = [np.empty(self._count, piece.dtype)]
        self._pieces[0][self._filled : self._filled + len(piece)] = piece
        self._filled += len(piece)

    def values(self) -> np.ndarray:
        """Returns all values."""
        # In place of the pieces, so that these go before the next column is joined.
        if len(self._pieces) > 1:
            self._pieces = [np.concatenate(self._pieces)]
        return self._pieces[0]


def _flat(scores: np.ndarray, rows: int) -> np.ndarray:
    """Returns scores as `[B]`; raises unless there is one for each row."""
    shape = getattr(scores, "shape", type(scores).__name__)
    if shape not in ((rows,), (rows, 1)):
        raise ValueError(
            explain(
                f"a model that gives one click probability per row, {rows}",
                f"predictions {shape}",
                "end the model with Dense(1) and a sigmoid",
            )
        )
    return scores.reshape(-1)


@contextlib.contextmanager
def expected_tracing() -> Iterator[None]:
    """Silences TensorFlow's warning about a function that is traced repeatedly.

    Every model has functions of its own, which are traced once. TensorFlow mistakes
    those of several models for a single function that is traced again and again.

    Example:

    >>> with expected_tracing():
    ...     for _ in range(9):
    ...         _ = tf.function(lambda x: x + 1)(tf.constant(1))
    """
    logger = tf.get_logger()
    # A filter of its own, so that a block in a block does not end the outer one.
    own = functools.partial(_is_another_message)
    logger.addFilter(own)
    try:
        yield
    finally:
        logger.removeFilter(own)


def _is_another_message(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
