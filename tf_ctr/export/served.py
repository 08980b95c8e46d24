"""The model that a version serves, made of the trained one before any writing."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import keras
import numpy as np
import pandas as pd

from tf_ctr.errors import check_choice, explain
from tf_ctr.export.checks import (
    candidate_fields,
    check_exportable,
    check_scores,
)
from tf_ctr.features import Schema
from tf_ctr.features.reading import in_memory
from tf_ctr.inference import (
    candidate_model,
    fold_batch_norm,
    merged,
    static_route,
)
from tf_ctr.metrics import exact_auc
from tf_ctr.rows import Source
from tf_ctr.serving.parity import TOLERANCE
from tf_ctr.serving.reference import (
    raw_columns,
    training_scorer,
    training_scores,
)
from tf_ctr.surgery import Graph

NUM_EXAMPLE_ROWS = 256


@dataclasses.dataclass(frozen=True)
class Served:
    """A trained model, and the model that is served in its place.

    Attributes:
        trained: The model as it was trained, to be trained on later.
        reference: The model whose scores the version must give: `trained`, or with
            static routes the model without routes.
        model: The model that is served: the scores of `reference` by less work.
        candidates: `model` on users `[R]` and items `[R * N]`, with the same weights;
            `None` if the schema has no fields of both.
        item_fields: Names of the items' fields; none without `candidates`.
        schema: The fitted schema of all these models.
        rows: Raw rows to compare scores on and to write requests of.
        columns: The same rows, as `tf_ctr.serving.reference.raw_columns` gives them.
        score: The function from such columns to the scores of `reference`.
        batch_norm: What became of the BatchNorm layers, a sentence; empty if there
            are none.
        auc_loss: The AUC on the sample that static routes lose; `None` without them.
    """

    trained: keras.Model
    reference: keras.Model
    model: keras.Model
    candidates: keras.Model | None
    item_fields: Sequence[str]
    schema: Schema
    rows: pd.DataFrame
    columns: Mapping[str, np.ndarray]
    score: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    batch_norm: str = ""
    auc_loss: float | None = None

    def save_for_training(
        self, directory: pathlib.Path, optimizer: Literal["drop", "keep"] = "drop"
    ) -> None:
        """Writes the trained model and the schema.

        Args:
            directory: `assets.extra` of the version, which is made. TF Serving reads
                only files that it knows there.
            optimizer: Whether to keep the state of the optimizer.
        """
        directory.mkdir()
        trained = self.trained
        if optimizer == "drop":  # The same layers, without what `compile` added.
            trained = keras.Model(trained.input, trained.output, name=trained.name)
        trained.save(directory / "model.keras")
        if self.reference is not self.trained:
            self.reference.save(directory / "served.keras")
        self.schema.save(directory / "schema.json")


def prepare(
    model: keras.Model,
    schema: Schema,
    sample: Source | None = None,
    served: keras.Model | Literal["static_routes"] | None = None,
    item_fields: Sequence[str] | str | None = None,
) -> Served:
    """Checks a trained model, and returns it with the model to serve in its place.

    The arguments are those of `tf_ctr.export.export`.

    Raises:
        TypeError: If a model is not a functional `keras.Model` with dict inputs, or a
            column of the sample does not fit its field.
        ValueError: If model, schema, sample and options do not fit, or scores are not
            probabilities.
    """
    item_fields = candidate_fields(schema, item_fields)
    check_exportable(model, schema)
    frame = None
    if sample is not None:
        frame = in_memory(sample, schema.fields, schema.outcomes.columns)
    rows = schema.example_rows(NUM_EXAMPLE_ROWS) if frame is None else frame
    columns = raw_columns(schema, rows)

    reference, replacement, auc_loss = model, model, None
    if isinstance(served, str):
        check_choice("served", served, ["static_routes"])
        reference, auc_loss = _static(model, schema, frame)
        replacement = reference
    elif served is not None:
        check_exportable(served, schema)
        replacement = served
    score = training_scorer(reference, schema)
    scores = score(columns)
    check_scores(scores)
    best, batch_norm = fold_if_exact(merged(replacement), schema, columns, scores)
    return Served(
        trained=model,
        reference=reference,
        model=best,
        candidates=_candidates(best, schema, item_fields) if item_fields else None,
        item_fields=item_fields,
        schema=schema,
        rows=rows,
        columns=columns,
        score=score,
        batch_norm=batch_norm,
        auc_loss=auc_loss,
    )


def fold_if_exact(
    model: keras.Model,
    schema: Schema,
    columns: Mapping[str, np.ndarray],
    expected: np.ndarray,
    tolerance: float = TOLERANCE,
) -> tuple[keras.Model, str]:
    """Returns `fold_batch_norm(model)`, or `model` if folding moves a score.

    A unit that is nearly constant has a norm that multiplies its rounding errors.

    Args:
        model: A functional `keras.Model`.
        schema: The fitted `tf_ctr.Schema` of its inputs.
        columns: `{field: array [N, ...]}`, raw rows to compare on.
        expected: Their scores `[N]` by the reference.
        tolerance: The largest difference of a score to accept.

    Returns:
        The model to serve, and a sentence to print; empty if no norm can be folded.
    """
    folded = fold_batch_norm(model)
    if folded is model:
        return model, ""
    scores = training_scores(folded, schema, columns)
    moved = float(np.max(np.abs(scores - expected)))
    if moved <= tolerance:
        return folded, f"BatchNorm is folded; a score moves by {moved:.1e} at most."
    return model, f"BatchNorm is kept: folded, it would move a score by {moved:.1e}."


def _static(model, schema, sample):
    """Returns the model of the branches that most rows take, and the AUC it loses."""
    if not Graph(model).routes:
        raise ValueError(
            explain(
                "a model with routes, for served='static_routes'",
                f"'{model.name}', which has none",
                "leave `served` out, or make the model with autoft",
            )
        )
    labelled = sample is not None and schema.label in sample
    if not labelled or sample[schema.label].nunique() < 2:
        raise ValueError(
            explain(
                f"a sample with labels {schema.label!r} of 0 and of 1, to choose the "
                "routes by and to say what they cost",
                "no sample" if sample is None else "no such labels in the sample",
                "pass sample=validation_rows with served='static_routes'",
            )
        )
    columns = schema.raw_columns(sample)
    encoded = {name: ids.numpy() for name, ids in schema.encode(columns).items()}
    static = static_route(model, encoded)
    labels, weights = schema.labels(sample), schema.weights(sample)
    auc, static_auc = (
        exact_auc(labels, training_scores(each, schema, columns), weights)
        for each in (model, static)
    )
    return static, auc - static_auc


def _candidates(
    model: keras.Model, schema: Schema, item_fields: Sequence[str]
) -> keras.Model:
    """Returns the model for users and their candidates; see `candidate_model`."""
    crosses = [
        field.name
        for field in schema.fields
        if not set(item_fields).isdisjoint(field.parts or ())
    ]
    return candidate_model(model, [*item_fields, *crosses])
