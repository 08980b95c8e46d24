"""Computes scores and exact metrics of a model on rows.

A *score* is the click probability that a model gives a row. Rows are streamed: memory
holds a score, a label and a group for each, about 20 bytes, and not the rows. Computing
the metrics sorts them, which takes about 150 bytes per row for a moment.
"""

import functools
from collections.abc import Callable

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tf_ctr.features import Schema
from tf_ctr.features.columns import check_some_weight
from tf_ctr.features.columns import weights as row_weight_column
from tf_ctr.metrics import calibration, exact_auc, exact_gauc, log_loss
from tf_ctr.metrics.arrays import row_weights
from tf_ctr.rows import Source
from tf_ctr.scoring import Kept, score_rows


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
        `tf_ctr.metrics.exact_gauc`. All but the counts are weighted if the schema has a
        weight. An undefined metric is NaN: an AUC of one class, a calibration without
        clicks.

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
    weights = kept.get("weight")
    check_some_weight(schema.weight, 1.0 if weights is None else weights.max())
    return score_metrics(kept["label"], scores, kept.get("group"), weights)


def labels_and_groups(schema: Schema) -> Kept:
    """Returns how to read the `"label"` of rows, and the `"group"` and `"weight"`.

    The last two are left out if the schema has none.
    """
    kept: dict[str, tuple[str, Callable[[pd.DataFrame], np.ndarray]]] = {}
    kept["label"] = (schema.label, schema.labels)
    if schema.weight is not None:
        kept["weight"] = (
            schema.weight,
            functools.partial(row_weight_column, name=schema.weight),
        )
    if schema.group_column is not None:
        code = schema.group_coder()
        # Half the memory, and no log has 2**31 groups.
        kept["group"] = (
            schema.group_column,
            lambda frame: code(frame).astype(np.int32),
        )
    return kept


def score_metrics(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> dict[str, float]:
    """Returns the exact metrics of scores.

    Args:
        labels: Labels 0 or 1, `[B]`.
        scores: Click probabilities, `[B]`.
        groups: The group of each row, `[B]`.
        weights: The weight of each row, `[B]`. Defaults to 1. If all are 0, the metrics
            are NaN.

    Returns:
        The metrics that `evaluate` returns; those of groups only with `groups`.

    Raises:
        ValueError: As `tf_ctr.metrics.exact_auc`.

    Example:

    >>> score_metrics([0, 1], [0.5, 0.5])["auc"]
    0.5
    """
    labels = np.asarray(labels)
    rate = float(labels.mean())
    if weights is not None:
        of_row = row_weights(weights, len(labels))
        total = of_row.sum()
        rate = float((of_row * labels).sum() / total) if total else float("nan")
    metrics = {
        "rows": len(labels),
        "click_rate": rate,
        "auc": exact_auc(labels, scores, weights),
        "log_loss": log_loss(labels, scores, weights=weights),
        "calibration": calibration(labels, scores, weights),
    }
    if groups is not None:
        result = exact_gauc(labels, scores, groups, weights)
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
    kept = {k: v for k, v in labels_and_groups(schema).items() if k != "group"}
    aucs = []
    for each in (model, replacement):
        scores, values = score_rows(each, frame, schema, kept, batch_size)
        aucs.append(exact_auc(values["label"], scores, values.get("weight")))
    return aucs[0] - aucs[1]
