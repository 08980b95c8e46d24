"""Computes scores and exact metrics of a model on a frame.

A *score* is the click probability that a model gives a row.
"""

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tf_ctr.data import from_frame
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.metrics import calibration, exact_auc, exact_gauc, log_loss


def predict(
    model: keras.Model,
    frame: pd.DataFrame,
    schema: Schema,
    batch_size: int = 8192,
    verbose: int | str = 0,
) -> np.ndarray:
    """Returns the score of every row of a frame, in its order.

    Args:
        model: A `keras.Model` from the schema's encoded fields to a probability.
        frame: Raw rows; they need no label.
        schema: The fitted `Schema` of the model.
        batch_size: Rows per batch. Only memory and speed depend on it.
        verbose: As in `keras.Model.predict`.

    Returns:
        Float array `[B]`, with B the number of rows.

    Raises:
        ValueError: For a frame that does not fit the schema, or a model that does
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
    dataset = from_frame(frame, schema, batch_size=batch_size, labelled=False)
    scores = model.predict(dataset, verbose=verbose)
    shape = getattr(scores, "shape", type(scores).__name__)
    if shape not in ((len(frame),), (len(frame), 1)):
        raise ValueError(
            explain(
                f"a model that gives one click probability per row, {len(frame)}",
                f"predictions {shape}",
                "end the model with Dense(1) and a sigmoid",
            )
        )
    return scores.reshape(-1)


def evaluate(
    model: keras.Model,
    frame: pd.DataFrame,
    schema: Schema,
    batch_size: int = 8192,
    verbose: int | str = 0,
) -> dict[str, float]:
    """Returns the exact metrics of a model on the labelled rows of a frame.

    The model runs once over the rows.

    Args:
        model: A `keras.Model` from the schema's encoded fields to a probability.
        frame: Raw rows with the schema's label.
        schema: The fitted `Schema` of the model.
        batch_size: Rows per batch. Only memory and speed depend on it.
        verbose: As in `keras.Model.predict`.

    Returns:
        `rows`, `click_rate`, `auc`, `log_loss` and `calibration`; if the schema has a
        group, also `gauc`, `groups_used` and `groups_skipped` of
        `tf_ctr.metrics.exact_gauc`. An undefined metric is NaN: an AUC of one class,
        a calibration without clicks.

    Raises:
        ValueError: For a frame that does not fit the schema, or a model that does
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
    # Before the model runs, which may take long, so that a bad label fails at once.
    labels = schema.labels(frame)
    groups = None if schema.group is None else schema.groups(frame)
    scores = predict(model, frame, schema, batch_size, verbose)
    return score_metrics(labels, scores, groups)


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
    frame: pd.DataFrame,
    schema: Schema,
    batch_size: int = 8192,
) -> float:
    """Returns the AUC that is lost by scoring with another model.

    Args:
        model: A model, e.g. one made by `tf_ctr.transfer.autoft`.
        replacement: The model to score with instead, e.g. that of
            `tf_ctr.inference.static_route`.
        frame: Raw rows with the schema's label.
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
    labels = schema.labels(frame)
    own, other = (
        exact_auc(labels, predict(each, frame, schema, batch_size))
        for each in (model, replacement)
    )
    return own - other
