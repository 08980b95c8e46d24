"""Measures choices between two sets of weights on rows that trained neither."""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_ctr.data import from_rows
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.metrics import exact_auc
from tf_ctr.rows import Source
from tf_ctr.scoring import scores_by_label

# For each site, a layer: whether it has the weights of the source.
Choice = dict[str, bool]
# The weights of each site, first the tuned ones, then those of the source.
Weights = Mapping[str, tuple[list[np.ndarray], list[np.ndarray]]]


class HeldOut:
    """Rows that a model was not trained on, encoded once, and their folds.

    Args:
        rows: Labelled rows.
        schema: A fitted schema of one label.
        folds: Number of folds.
        seed: Seed of the split.
        batch_size: Rows per batch.

    Attributes:
        labels: `[B]`.
        weights: `[B]`, or `None`.
        folds: The fold of each row, `[B]`.
        features: Batches for `model.predict`.

    Raises:
        ValueError: If the schema has several labels, or a fold has labels of one class.
    """

    def __init__(
        self, rows: Source, schema: Schema, folds: int, seed: int, batch_size: int
    ) -> None:
        if len(schema.label_names) > 1:
            raise ValueError(
                explain(
                    "a schema of one label, whose AUC decides",
                    f"the labels {', '.join(schema.label_names)}",
                    "choose for one label with schema.for_label(...)",
                )
            )
        self._schema = schema
        batches = from_rows(rows, schema, batch_size).cache()
        columns = zip(*(batch[1:] for batch in batches), strict=True)
        label, *weight = (np.concatenate([*column]).reshape(-1) for column in columns)
        self.labels, self.weights = label, weight[0] if weight else None
        self.features = batches.map(_features)
        self.folds = np.random.default_rng(seed).permutation(len(label)) % folds
        for fold in range(folds):
            if len(np.unique(label[self.folds == fold])) < 2:
                raise ValueError(
                    explain(
                        f"rows of both labels in each of {folds} folds",
                        f"one label in fold {fold}, of {len(label)} rows",
                        "pass more rows, or fewer folds",
                    )
                )

    def scores(self, model: keras.Model) -> np.ndarray:
        """Returns the score of each row for the label, `[B]`."""
        predicted = model.predict(self.features, verbose=0)
        by_label = scores_by_label(predicted, self._schema, len(self.labels))
        return by_label[self._schema.label]

    def auc(self, scores: np.ndarray, chosen: np.ndarray) -> float:
        """Returns the AUC of some rows."""
        weights = None if self.weights is None else self.weights[chosen]
        return exact_auc(self.labels[chosen], scores[chosen], weights)


class Measured(NamedTuple):
    """The AUC of a choice on all rows, on each fold, and on the rows outside it."""

    overall: float
    within: list[float]
    without: list[float]


class AUCs:
    """Measures each choice once, by setting the weights of one model.

    Args:
        model: The model, which is changed in place.
        weights: The weights to choose between.
        rows: The rows to measure by.
    """

    def __init__(self, model: keras.Model, weights: Weights, rows: HeldOut) -> None:
        self._model, self._weights, self._rows = model, weights, rows
        self._known: dict[tuple[bool, ...], Measured] = {}

    def __call__(self, choice: Choice) -> Measured:
        """Returns the AUCs of a choice."""
        key = tuple(choice.values())
        if key not in self._known:
            set_weights(self._model, self._weights, choice)
            scores = self._rows.scores(self._model)
            folds, auc = self._rows.folds, self._rows.auc
            number = range(folds.max() + 1)
            self._known[key] = Measured(
                auc(scores, folds >= 0),
                [auc(scores, folds == fold) for fold in number],
                [auc(scores, folds != fold) for fold in number],
            )
        return self._known[key]

    def outside(self, fold: int, choice: Choice) -> float:
        """Returns the AUC of a choice on all rows that are not in a fold."""
        return self(choice).without[fold]


def set_weights(model: keras.Model, weights: Weights, choice: Choice) -> None:
    """Gives every site the weights that were chosen for it, in place."""
    for site, from_source in choice.items():
        model.get_layer(site).set_weights(weights[site][from_source])


@tf.autograph.experimental.do_not_convert  # There is nothing to convert.
def _features(features, *_):
    return features
