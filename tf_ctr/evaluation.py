"""Computes scores and exact metrics of a model on rows.

A *score* is the click probability that a model gives a row. Rows are streamed: memory
holds a score, a label and a group for each, 20 bytes, and not the rows.
"""

import warnings
from collections.abc import Callable, Mapping

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_ctr.data import from_frame
from tf_ctr.data.batching import batches, with_cardinality
from tf_ctr.data.packing import Packing
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_column, check_rows
from tf_ctr.features.reading import needed_columns, rows_of
from tf_ctr.metrics import calibration, exact_auc, exact_gauc, log_loss
from tf_ctr.rows import Source
from tf_ctr.rows.parts import located

# Values that are kept of each row, by name: a column, and how to read it of a frame.
Kept = Mapping[str, tuple[str, Callable[[pd.DataFrame], np.ndarray]]]


def predict(
    model: keras.Model,
    frame: Source,
    schema: Schema,
    batch_size: int = 8192,
    verbose: int | str = 0,
) -> np.ndarray:
    """Returns the score of every row, in their order.

    Args:
        model: A `keras.Model` from the schema's encoded fields to a probability.
        frame: Raw rows without or with labels: a pandas frame, a path, or rows of any
            kind that `tf_ctr.data.rows` opens.
        schema: The fitted `Schema` of the model.
        batch_size: Rows per batch. Only memory and speed depend on it.
        verbose: As in `keras.Model.predict`.

    Returns:
        Float array `[B]`, with B the number of rows.

    Raises:
        ValueError: For rows that do not fit the schema, or a model that does
            not give one score per row.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> import keras, pandas, tf_ctr
    >>> from tf_ctr.evaluation import predict
    >>> schema = tf_ctr.Schema([tf_ctr.Categorical("item", vocabulary=["a", "b"])])
    >>> inputs = schema.inputs()
    >>> rate = keras.layers.Embedding(4, 1, "zeros")(inputs["item"])
    >>> model = keras.Model(inputs, keras.layers.Activation("sigmoid")(rate))
    >>> predict(model, pandas.DataFrame({"item": ["a", "b", "c"]}), schema)
    array([0.5, 0.5, 0.5], dtype=float32)
    """
    return score_rows(model, frame, schema, {}, batch_size, verbose)[0]


def evaluate(
    model: keras.Model,
    frame: Source,
    schema: Schema,
    batch_size: int = 8192,
    verbose: int | str = 0,
) -> dict[str, float]:
    """Returns the exact metrics of a model on the labelled rows.

    The model runs once over the rows.

    Args:
        model: A `keras.Model` from the schema's encoded fields to a probability.
        frame: Raw rows with the schema's label: a pandas frame, a path, or rows of any
            kind that `tf_ctr.data.rows` opens.
        schema: The fitted `Schema` of the model.
        batch_size: Rows per batch. Only memory and speed depend on it.
        verbose: As in `keras.Model.predict`.

    Returns:
        `rows`, `click_rate`, `auc`, `log_loss` and `calibration`; if the schema has a
        group, also `gauc`, `groups_used` and `groups_skipped` of
        `tf_ctr.metrics.exact_gauc`. An undefined metric is NaN: an AUC of one class,
        a calibration without clicks.

    Raises:
        ValueError: For rows that do not fit the schema, or a model that does
            not give one score per row.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> import keras, pandas, tf_ctr
    >>> from tf_ctr.evaluation import evaluate
    >>> schema = tf_ctr.Schema([tf_ctr.Categorical("item", vocabulary=["a", "b"])])
    >>> inputs = schema.inputs()
    >>> rate = keras.layers.Embedding(4, 1, "zeros")(inputs["item"])
    >>> model = keras.Model(inputs, keras.layers.Activation("sigmoid")(rate))
    >>> frame = pandas.DataFrame({"item": ["a", "b", "c", "a"], "click": [0, 1, 0, 0]})
    >>> evaluate(model, frame, schema)
    {'rows': 4, 'click_rate': 0.25, 'auc': 0.5, 'log_loss': 0.693...,
     'calibration': 2.0}
    """
    scores, kept = score_rows(
        model, frame, schema, labels_and_groups(schema), batch_size, verbose
    )
    return score_metrics(kept["label"], scores, kept.get("group"))


def labels_and_groups(schema: Schema) -> Kept:
    """Returns how to read the `"label"` of rows and, if there is one, the `"group"`."""
    kept: dict[str, tuple[str, Callable[[pd.DataFrame], np.ndarray]]] = {}
    kept["label"] = (schema.label, schema.labels)
    if schema.group_column is not None:
        kept["group"] = (schema.group_column, schema.group_coder())
    return kept


def score_rows(
    model: keras.Model,
    data: Source,
    schema: Schema,
    kept: Kept,
    batch_size: int = 8192,
    verbose: int | str = 0,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the score of every row, and values that were kept of them.

    The rows are read once, so that an iterator will do.

    Args:
        model: As for `predict`.
        data: Rows of any kind.
        schema: The fitted `Schema` of the model.
        kept: The values to keep.
        batch_size: As for `predict`.
        verbose: As for `predict`.

    Returns:
        Scores `[B]`, and `{name: values [B]}`.

    Raises:
        ValueError: As `predict`.
        TypeError: As `predict`.
    """
    if isinstance(data, pd.DataFrame):
        # Before the model runs, which may take long, so that a bad label fails at once.
        values = {name: read(data) for name, (_, read) in kept.items()}
        dataset = from_frame(data, schema, batch_size=batch_size, labelled=False)
        return _flat(model.predict(dataset, verbose=verbose), len(data)), values
    opened = rows_of(data, schema.fields)
    columns = needed_columns(schema.fields, [column for column, _ in kept.values()])
    check_rows(1 if opened.count is None else opened.count)
    packing = Packing(schema, labelled=False)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in kept}
    failures: list[Exception] = []

    def check(header):
        for name in columns:
            check_column(header, name)
        packing.check(header)

    count = 0

    def packed():
        nonlocal count
        try:
            for place, frame in opened.frames(columns, check):
                count += len(frame)
                with located(place):
                    for name, (_, read) in kept.items():
                        parts[name].append(read(frame))
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
            scores = model.predict(dataset, verbose=verbose)
    except tf.errors.OpError:
        if failures:  # TensorFlow has made a text of it.
            raise failures[0] from None
        raise
    values = {name: np.concatenate(each) for name, each in parts.items()}
    return _flat(scores, count), values


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


def score_metrics(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None
) -> dict[str, float]:
    """Returns the exact metrics of scores.

    Args:
        labels: Labels 0 or 1, `[B]`.
        scores: Click probabilities, `[B]`.
        groups: The group of each row, `[B]`.

    Returns:
        The metrics that `evaluate` returns; those of groups only with `groups`.

    Raises:
        ValueError: As `tf_ctr.metrics.exact_auc`.

    Example:

    >>> score_metrics([0, 1], [0.5, 0.5])["auc"]
    0.5
    """
    labels = np.asarray(labels)
    metrics = {
        "rows": len(labels),
        "click_rate": float(labels.mean()),
        "auc": exact_auc(labels, scores),
        "log_loss": log_loss(labels, scores),
        "calibration": calibration(labels, scores),
    }
    if groups is not None:
        result = exact_gauc(labels, scores, groups)
        metrics["gauc"] = result.gauc
        metrics["groups_used"] = result.groups_used
        metrics["groups_skipped"] = result.groups_skipped
    return metrics


def auc_loss(
    model: keras.Model,
    replacement: keras.Model,
    frame: Source,
    schema: Schema,
    batch_size: int = 8192,
) -> float:
    """Returns the AUC that is lost by scoring with another model.

    Args:
        model: A model, e.g. one made by `tf_ctr.transfer.autoft`.
        replacement: The model to score with instead, e.g. that of
            `tf_ctr.inference.static_route`.
        frame: Raw rows with the schema's label: a pandas frame, a path, or rows of any
            kind that `tf_ctr.data.rows` opens.
        schema: The fitted `Schema` of both.
        batch_size: Rows per batch. Only memory and speed depend on it.

    Returns:
        The AUC of `model` minus that of `replacement`; below 0 for a gain, NaN for
        labels of one class.

    Raises:
        ValueError: As `evaluate`.
        TypeError: As `evaluate`.

    Example:

    >>> import keras, pandas, tf_ctr
    >>> from tf_ctr.evaluation import auc_loss
    >>> frame = pandas.DataFrame({"price": [1.0, 2.0], "click": [0, 1]})
    >>> schema = tf_ctr.Schema([tf_ctr.Numeric("price")]).fit(frame)
    >>> price = schema.inputs()
    >>> model = keras.Model(price, keras.ops.sigmoid(price["price"]))
    >>> upside_down = keras.Model(price, keras.ops.sigmoid(-price["price"]))
    >>> auc_loss(model, upside_down, frame, schema)
    1.0
    """
    kept = {"label": labels_and_groups(schema)["label"]}
    aucs = []
    for each in (model, replacement):
        scores, values = score_rows(each, frame, schema, kept, batch_size)
        aucs.append(exact_auc(values["label"], scores))
    return aucs[0] - aucs[1]
