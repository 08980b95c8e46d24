"""The scores of the validation rows, and what TensorBoard shows of them."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.pr_curve import summary as pr_curve

from tf_ctr.features import Schema
from tf_ctr.metrics import calibration, exact_auc, exact_gauc, log_loss

# A probability of exactly 0 or 1 has no logit.
LEAST = 1e-7
THRESHOLDS = 127
# Above this many values a field is no domain, and its curves would be unreadable.
MOST_DOMAINS = 20


@dataclasses.dataclass(frozen=True)
class Scores:
    """The scores of rows, and what belongs to them; arrays `[B]`.

    Attributes:
        labels: 0 or 1.
        scores: Click probabilities.
        weights: The weights of the rows, or `None`.
        groups: The encoded ids of the schema's group, or `None` if it is no field.
        domains: The encoded ids of the field `by`, or `None`.
    """

    labels: np.ndarray
    scores: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    domains: np.ndarray | None


def score(
    model: keras.Model,
    batches: tf.data.Dataset,
    schema: Schema | None,
    by: str | None,
    rows: int,
) -> dict[str, Scores]:
    """Returns the scores of the first rows, by the name of the model's output.

    A label that is known in none of them is left out.

    Args:
        model: The model. One output has the name `""`.
        batches: Batches of features, labels and, maybe, weights.
        schema: The schema, for its group.
        by: A field whose ids tell domains apart.
        rows: Stop after the batch that reaches this number of rows.
    """
    kept: dict[str, list[dict[str, Any]]] = {}
    seen = 0
    for features, labels, *weights in batches:
        predicted = model.predict_on_batch(features)
        weight = weights[0] if weights else None
        shared = {
            "groups": features.get(None if schema is None else schema.group),
            "domains": features.get(by),
        }
        for name, each in _named(predicted).items():
            # With several labels, both are dicts by label.
            own = {"labels": labels, "weights": weight}
            if name:
                own = {key: v if v is None else v[name] for key, v in own.items()}
            kept.setdefault(name, []).append({"scores": each, **own, **shared})
        seen += len(next(iter(features.values())))
        if seen >= rows:
            break
    found = {name: _joined(parts) for name, parts in kept.items()}
    return {name: each for name, each in found.items() if len(each.labels)}


def scalars(
    found: Scores, schema: Schema | None, by: str | None
) -> Iterator[tuple[str, float]]:
    """Yields exact metrics: their tag and value, those of each domain last.

    An undefined metric is left out: an AUC of one class, a calibration without clicks.
    """
    yield from _metrics(found.labels, found.scores, found.weights)
    if found.groups is not None:
        gauc = exact_gauc(found.labels, found.scores, found.groups, found.weights).gauc
        if np.isfinite(gauc):
            yield "gauc", gauc
    if found.domains is None or schema is None or by is None:
        return
    names = schema.field(by).row_keys()
    for row in np.unique(found.domains)[:MOST_DOMAINS]:
        own = found.domains == row
        weights = None if found.weights is None else found.weights[own]
        for tag, value in _metrics(found.labels[own], found.scores[own], weights):
            yield f"{tag}/{by}={row_name(names[row])}", value


def write_curves(name: str, found: Scores, step: int) -> None:
    """Writes the precision-recall curve and the distribution of the logits."""
    prefix = f"{name}/" if name else ""
    # The plugin of TensorBoard counts with weights.
    curve = pr_curve.pb(
        f"{prefix}pr_curve",
        found.labels.astype(bool),
        found.scores,
        num_thresholds=THRESHOLDS,
        weights=found.weights,
    )
    tf.summary.experimental.write_raw_pb(curve.SerializeToString(), step)
    clipped = np.clip(found.scores.astype("float64"), LEAST, 1 - LEAST)
    tf.summary.histogram(f"{prefix}logits", np.log(clipped / (1 - clipped)), step)


def row_name(key: Any) -> str:
    """Returns how to show a row of a table: its id, or what else it stands for."""
    if isinstance(key, tuple):  # ("missing",), ("unseen", 0, 1), ("hashed", 5, 16)
        return f"({' '.join(map(str, key[:2]))})"
    # An id may be any text; a tab or a new line would break a table of ids.
    return " ".join(str(key).split()) or "(empty)"


def _metrics(labels, scores, weights):
    values = {
        "auc": exact_auc(labels, scores, weights),
        "log_loss": log_loss(labels, scores, weights=weights),
        "calibration": calibration(labels, scores, weights),
    }
    for tag, value in values.items():
        if np.isfinite(value):
            yield tag, value


def _named(outputs):
    return outputs if isinstance(outputs, dict) else {"": outputs}


def _joined(parts):
    columns = {
        field.name: [part[field.name] for part in parts]
        for field in dataclasses.fields(Scores)
    }
    arrays = {
        name: None
        if values[0] is None
        else np.concatenate([np.asarray(v).reshape(len(v), -1)[:, 0] for v in values])
        for name, values in columns.items()
    }
    known = np.isfinite(arrays["labels"])  # A label may not be known yet.
    return Scores(**{k: None if v is None else v[known] for k, v in arrays.items()})
