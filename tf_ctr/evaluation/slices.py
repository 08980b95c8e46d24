"""Measures rows by the values of a column."""

from typing import Any, NamedTuple

import keras
import numpy as np

from tf_ctr.evaluation.of_scores import label_arrays, label_metrics, labels_and_groups
from tf_ctr.features import Schema
from tf_ctr.features.columns import GroupCoder
from tf_ctr.metrics import calibration_error, normalized_entropy
from tf_ctr.rows import Source
from tf_ctr.scoring import Kept, score_rows

SLICE = "slice"


class Scored(NamedTuple):
    """Rows with their scores and labels, and the slice that each is in.

    Attributes:
        schema: The schema.
        scores: `{label: scores [B]}`.
        kept: What was kept of the rows.
        slices: `{value of the column: which rows have it}`, in ascending order, NaN
            for a missing value; empty without a column.
    """

    schema: Schema
    scores: dict[str, np.ndarray]
    kept: dict[str, np.ndarray]
    slices: dict[Any, np.ndarray]

    def metrics(self, rows: np.ndarray | slice = slice(None)) -> dict[str, float]:
        """Returns the metrics of `evaluate` for some of the rows, by default all."""
        return label_metrics(self.schema, self.scores, self.kept, rows)

    def reliability(self, rows: np.ndarray | slice = slice(None)) -> dict[str, float]:
        """Returns `normalized_entropy` and `calibration_error` of some of the rows."""
        found = {}
        for label in self.schema.label_names:
            labels, scores, _, weights = label_arrays(
                self.schema, label, self.scores, self.kept, rows
            )
            prefix = f"{label}_" if self.schema.outcomes.several else ""
            for name, metric in (
                ("normalized_entropy", normalized_entropy),
                ("calibration_error", calibration_error),
            ):
                known = len(labels) > 0
                value = metric(labels, scores, weights) if known else float("nan")
                found[f"{prefix}{name}"] = value
        return found


def score_slices(
    model: keras.Model,
    data: Source,
    schema: Schema,
    column: str | None = None,
    batch_size: int = 8192,
) -> Scored:
    """Scores rows, and finds the slice of each.

    Args:
        model: As for `evaluate`.
        data: Raw labelled rows of any kind.
        schema: The fitted schema of the model.
        column: The column whose values are the slices; it need not be a field.
        batch_size: Rows per batch.

    Raises:
        ValueError: As `evaluate`, or for a missing column.
        TypeError: As `evaluate`.
    """
    kept: Kept = labels_and_groups(schema)
    if column is None:
        return Scored(schema, *score_rows(model, data, schema, kept, batch_size), {})
    codes = GroupCoder(column)
    kept = {**kept, SLICE: (column, codes)}
    scores, values = score_rows(model, data, schema, kept, batch_size)
    names, slices = codes.values, {}
    for code in [*sorted(range(len(names)), key=lambda i: _order(names[i])), -1]:
        own = values[SLICE] == code
        if own.any():
            slices[names[code] if code >= 0 else np.nan] = own
    return Scored(schema, scores, values, slices)


def _order(name):
    """Numbers before text, which a column of objects may hold together."""
    return isinstance(name, str), name
