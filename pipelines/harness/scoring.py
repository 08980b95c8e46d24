"""What a comparison records of a trained model: test metrics, routes, and curve."""

import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tf_ctr import data, evaluation, transfer
from tf_ctr.datasets import TwoDomains
from tf_ctr.files import replacing
from tf_ctr.layers import Route
from tf_ctr.metrics import calibration, exact_auc, exact_gauc, log_loss

GROUPS = 5


def test(
    model: keras.Model, domains: TwoDomains, scores_path: pathlib.Path
) -> dict[str, Any]:
    """Scores the target's test rows once, and writes the scores.

    Args:
        model: The trained model.
        domains: The `TwoDomains`.
        scores_path: The `.npy` file of the scores, float32 `[N]`.

    Returns:
        `auc`, `log_loss`, `gauc` and `calibration`; and the AUC by how often a row's
        user (`user_groups`) or item (`item_groups`) occurs in the target's training
        rows, in groups of about the same number of test rows.
    """
    rows, known, schema = domains.target.test, domains.target.train, domains.schema
    scores = evaluation.predict(model, rows, schema)
    with replacing(scores_path) as partial, partial.open("wb") as file:
        np.save(file, scores.astype("float32"))
    labels = schema.labels(rows)
    columns = {"user": schema.group, "item": domains.item}
    by_frequency = {
        f"{name}_groups": auc_by_frequency(
            labels, scores, rows[column], known[column], GROUPS, by_rows=True
        ).to_dict("list")
        for name, column in columns.items()
    }
    return {
        "auc": exact_auc(labels, scores),
        "log_loss": log_loss(labels, scores),
        "gauc": exact_gauc(labels, scores, schema.groups(rows)).gauc,
        "calibration": calibration(labels, scores),
        **by_frequency,
    }


def routes(
    model: keras.Model, domains: TwoDomains, batch_size: int
) -> dict[str, float]:
    """Returns the share of the target's validation rows on each frozen branch.

    Args:
        model: The trained model.
        domains: The `TwoDomains`.
        batch_size: Rows of a batch.

    Returns:
        `{site: share}`, empty for a model without routes.
    """
    if not any(isinstance(layer, Route) for layer in model.layers):
        return {}
    rows = data.from_frame(domains.target.validation, domains.schema, batch_size)
    return transfer.route_shares(model, rows).to_dict()


def curve(run_dir: pathlib.Path) -> list[float]:
    """Returns the validation AUC after every epoch, from a run's TensorBoard logs."""
    # Zero keeps all events: by default only ten are kept.
    size = {"tensors": 0}
    events = EventAccumulator(str(run_dir / "validation"), size_guidance=size)
    events.Reload()
    # A resumed run logs an epoch twice; the later one counts.
    epochs = {
        event.step: float(tf.make_ndarray(event.tensor_proto))
        for event in events.Tensors("epoch_auc")
    }
    return [epochs[step] for step in sorted(epochs)]


def auc_by_frequency(
    labels: np.ndarray,
    scores: np.ndarray,
    values: Sequence | pd.Series,
    known: Sequence | pd.Series,
    groups: int = 10,
    by_rows: bool = False,
) -> pd.DataFrame:
    """Returns the AUC of rows grouped by how often their value was seen in training.

    Args:
        labels: 0 and 1, `[N]`.
        scores: Click probabilities, `[N]`.
        values: The value of each row, e.g. its user, `[N]`.
        known: The same column of the training rows.
        groups: Number of groups; the distinct values of `values` are ranked by their
            frequency in `known` and cut into groups of equal size. Group 0 is the
            rarest.
        by_rows: Whether groups have about the same number of rows, instead of
            distinct values. A value with very many rows leaves some groups empty.

    Returns:
        A frame indexed by group: `rows`, `least` and `most` (frequencies in
        training), and `auc` (NaN if the rows have a single class).
    """
    values = pd.Series(np.asarray(values))
    distinct = values.drop_duplicates()
    counts = pd.Series(np.asarray(known)).value_counts()
    seen = distinct.map(counts).fillna(0).astype("int64")
    order = np.argsort(seen.to_numpy(), kind="stable")
    sizes = values.value_counts()[distinct].to_numpy() if by_rows else [1] * len(order)
    sizes = np.asarray(sizes)[order]
    place = (np.cumsum(sizes) - sizes) * groups // sizes.sum()
    group = pd.Series(place, index=distinct.to_numpy()[order])
    row_group = values.map(group)
    frame = pd.DataFrame(
        {"label": np.asarray(labels), "score": np.asarray(scores), "group": row_group}
    )
    frame["seen"] = values.map(pd.Series(seen.to_numpy(), index=distinct))
    return frame.groupby("group").apply(_one_group, include_groups=False)


def _one_group(rows):
    return pd.Series(
        {
            "rows": len(rows),
            "least": rows["seen"].min(),
            "most": rows["seen"].max(),
            "auc": exact_auc(rows["label"].to_numpy(), rows["score"].to_numpy()),
        }
    )
