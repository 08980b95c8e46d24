"""Scores rows by a model, and measures the scores."""

import keras
import numpy as np

from tf_ctr.errors import explain
from tf_ctr.evaluation.intervals import label_intervals
from tf_ctr.evaluation.of_scores import (
    WEIGHT,
    label_arrays,
    label_metrics,
    labels_and_groups,
)
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_some_weight
from tf_ctr.metrics import exact_auc
from tf_ctr.rows import Source
from tf_ctr.scoring import score_rows


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
        ValueError: For rows that do not fit the schema, a model that does not give
            one score per row, or several labels; see `predict_by_label`.
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
    if schema.outcomes.several:
        raise ValueError(
            explain(
                "a schema with one label, whose scores are one array",
                f"the labels {schema.label_names}",
                "call predict_by_label, which returns {label: scores}",
            )
        )
    return predict_by_label(model, frame, schema, batch_size, verbose)[schema.label]


def predict_by_label(
    model: keras.Model,
    frame: Source,
    schema: Schema,
    batch_size: int = 8192,
    verbose: int | str = 0,
) -> dict[str, np.ndarray]:
    """Returns the scores of every row for each label, in the order of the rows.

    Args:
        model: A `keras.Model` from the schema's encoded fields to `{label:
            probability}`, e.g. one of `tf_ctr.joint`; or to a probability, if the
            schema has one label.
        frame: As for `predict`.
        schema: The fitted `Schema` of the model.
        batch_size: As for `predict`.
        verbose: As in `keras.Model.predict`.

    Returns:
        `{label: float array [B]}`.

    Raises:
        ValueError: For rows that do not fit the schema, or a model that does not give
            a score per label and row.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> import pandas, tf_ctr
    >>> from tf_ctr.evaluation import predict_by_label
    >>> fields = [tf_ctr.Categorical("item", vocabulary=["a", "b"])]
    >>> schema = tf_ctr.Schema(fields, labels=("click", "buy"))
    >>> inputs = schema.inputs()
    >>> rate = keras.layers.Embedding(4, 1, "zeros")(inputs["item"])
    >>> half = keras.layers.Activation("sigmoid")(rate)
    >>> model = keras.Model(inputs, {"click": half, "buy": half * half})
    >>> predict_by_label(model, pandas.DataFrame({"item": ["a"]}), schema)
    {'click': array([0.5], dtype=float32), 'buy': array([0.25], dtype=float32)}
    """
    return score_rows(model, frame, schema, {}, batch_size, verbose)[0]


def evaluate(
    model: keras.Model,
    frame: Source,
    schema: Schema,
    batch_size: int = 8192,
    verbose: int | str = 0,
    intervals: bool = False,
) -> dict[str, float]:
    """Returns the exact metrics of a model on the labelled rows.

    The model runs once over the rows.

    Args:
        model: A `keras.Model` from the schema's encoded fields to a probability, or to
            `{label: probability}`.
        frame: Raw rows with the schema's labels: a pandas frame, a path, or rows of any
            kind that `tf_ctr.data.rows` opens.
        schema: The fitted `Schema` of the model.
        batch_size: Rows per batch. Only memory and speed depend on it.
        verbose: As in `keras.Model.predict`.
        intervals: Whether to add the ends of 95 % intervals, `auc_low`, `auc_high` and
            so on: that of the AUC by DeLong's variance, those of `log_loss`,
            `calibration` and `gauc` by 1000 bootstrap samples of the rows, for `gauc`
            of the groups. With weights, the AUC has 200 samples too. A million rows
            take about 20 seconds.

    Returns:
        `rows`, `click_rate`, `auc`, `log_loss` and `calibration`; if the schema has a
        group, also `gauc`, `groups_used` and `groups_skipped` of
        `tf_ctr.metrics.exact_gauc`. All but the counts are weighted if the schema has a
        weight. An undefined metric is NaN: an AUC of one class, a calibration without
        clicks.

        With several labels, `rows`, and all of these for each label, e.g. `buy_rows`,
        `buy_rate`, `buy_auc`, of the rows where that label is known.

    Raises:
        ValueError: For rows that do not fit the schema, or a model that does
            not give one score per row and label.
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
    for name in schema.outcomes.weights:
        check_some_weight(name, kept[WEIGHT + name].max())
    metrics = label_metrics(schema, scores, kept)
    if intervals:
        metrics |= label_intervals(schema, scores, kept)
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
    label, kept = schema.label, labels_and_groups(schema, group=False)
    aucs = []
    for each in (model, replacement):
        scores, values = score_rows(each, frame, schema, kept, batch_size)
        labels, own, _, weights = label_arrays(schema, label, scores, values)
        aucs.append(exact_auc(labels, own, weights))
    return aucs[0] - aucs[1]
