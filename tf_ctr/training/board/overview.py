"""Settings, schema and layout of a run, as TensorBoard shows them."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import pandas as pd
import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import api as hp

from tf_ctr.features import Schema

Plain = bool | int | float | str

# The charts of the dashboard CUSTOM SCALARS: its title, and what its tags look like.
CHARTS = {
    "AUC": "^epoch_auc$",
    "GAUC": "^epoch_gauc$",
    "LogLoss": "^epoch_log_loss$",
    "Calibration: 1 is right, above 1 predicts too much": "^epoch_calibration$",
    "Calibration by domain": "^epoch_calibration/",
    "Share of instances on the frozen branch, by field and layer": "^frozen_share/",
}


def plain_settings(model: keras.Model, params: Mapping[str, Any]) -> dict[str, Plain]:
    """Returns the settings of a compiled model and its `fit`, to compare runs by.

    Args:
        model: The model.
        params: Keras's `callback.params`.
    """
    found: dict[str, Any] = {
        "model": model.name,
        "parameters": model.count_params(),
        "trainable_parameters": sum(
            math.prod(v.shape) for v in model.trainable_variables
        ),
        "epochs": params.get("epochs"),
        "batches_per_epoch": params.get("steps"),
    }
    if model.optimizer is not None:
        found["optimizer"] = type(model.optimizer).__name__
        rate = model.optimizer.get_config().get("learning_rate")
        # The configuration of a schedule names its class.
        found["learning_rate"] = (
            rate["class_name"] if isinstance(rate, dict) else float(f"{rate:.6g}")
        )
    loss = getattr(model, "loss", None)
    if loss is not None:
        found["loss"] = loss if isinstance(loss, str) else _name(loss)
    return {name: value for name, value in found.items() if value is not None}


def write_settings(settings: Mapping[str, Plain], trial: str) -> None:
    """Writes settings for the dashboard HPARAMS, and as a text.

    Args:
        settings: The settings.
        trial: Name of the run, which tells it from others with the same settings.
    """
    hp.hparams(dict(settings), trial_id=trial)
    lines = [["setting", "value"], *([n, str(v)] for n, v in settings.items())]
    tf.summary.text("settings", tf.constant(lines), step=0)


def write_schema(schema: Schema) -> None:
    """Writes the fields of a schema as a text."""
    frame: pd.DataFrame = schema.summary().reset_index()
    cells = frame.astype(object).where(frame.notna(), "").astype(str)
    lines = [list(map(str, frame.columns)), *cells.to_numpy().tolist()]
    tf.summary.text("schema", tf.constant(lines), step=0)


def write_layout() -> None:
    """Writes which charts the dashboard CUSTOM SCALARS shows."""
    charts = [
        layout_pb2.Chart(
            title=title, multiline=layout_pb2.MultilineChartContent(tag=[tag])
        )
        for title, tag in CHARTS.items()
    ]
    category = layout_pb2.Category(title="Training", chart=charts)
    layout = custom_scalar.pb(layout_pb2.Layout(category=[category]))
    tf.summary.experimental.write_raw_pb(layout.SerializeToString(), step=0)


def _name(loss):
    return getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__)
