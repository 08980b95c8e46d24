"""The usual compile arguments and training callbacks of a click model."""

import numbers
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

import keras
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_count, check_name, explain
from tf_ctr.features import Schema
from tf_ctr.metrics import AUC, LogLoss
from tf_ctr.optimizers import SparseAdam
from tf_ctr.training.crossentropy import losses_of
from tf_ctr.training.early_stopping import FOLDER, EarlyStopping
from tf_ctr.training.finite import StopIfNotFinite
from tf_ctr.training.resuming import Backup, Resume
from tf_ctr.training.routing import RouteLogger, TemperatureAnnealing
from tf_ctr.training.settings import frame_sum, schema_sum
from tf_ctr.training.tensorboard import TensorBoard
from tf_ctr.training.uncertainty import UncertaintyModel
from tf_ctr.training.workers import is_chief


def compile(
    model: keras.Model,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
    loss_weights: Mapping[str, float] | None = None,
) -> keras.Model:
    """Compiles a click model with the usual optimizer, loss and metrics; returns it.

    The same as `model.compile(SparseAdam(learning_rate), "binary_crossentropy",
    weighted_metrics=[AUC(), LogLoss()])`; call `model.compile` yourself to change any
    of them. Keras leaves the weights of rows out of what is passed as `metrics`.

    With several labels, each has the loss `LabelCrossentropy` and these metrics, of the
    rows where it is known; `loss` is the weighted sum. Logs name them `buy_loss`,
    `val_buy_auc`.

    Args:
        model: A `keras.Model` from fields to the click probability `[B, 1]`, or to
            `{label: [B, 1]}`.
        learning_rate: A number or a Keras schedule. AutoFT tunes it in
            [1e-4, 1e-3].
        loss_weights: `{label: weight of its loss}`, for a model with several; a label
            that is left out has 1. To learn them, pass
            `weigh_by_uncertainty(model)` as `model`.

    Returns:
        `model`.

    Raises:
        ValueError: For loss weights of unknown labels, or not above 0.
        TypeError: For loss weights that are no dict.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(inputs["age"])
    >>> type(compile(keras.Model(inputs, click)).optimizer).__name__
    'SparseAdam'
    """
    weights = _checked_weights(model, loss_weights)
    losses = losses_of(model)
    metrics: Any = [AUC(), LogLoss()]
    if isinstance(losses, dict):
        metrics = {name: [AUC(), LogLoss()] for name in losses}
    model.compile(
        optimizer=SparseAdam(learning_rate),
        loss=losses,
        loss_weights=weights,
        weighted_metrics=metrics,
    )
    return model


def callbacks(
    run_dir: str | os.PathLike | None = None,
    validation: tf.data.Dataset | None = None,
    monitor: str = "val_auc",
    mode: Literal["max", "min"] = "max",
    patience: int = 3,
    annealing: TemperatureAnnealing | None = None,
    resume: bool = True,
    schema: Schema | None = None,
    data: pd.DataFrame | None = None,
    every_steps: int | None = None,
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of a training run, for `model.fit(callbacks=...)`.

    They stop early, restore the best weights, and anneal the temperature of routers. A
    loss or a weight that is NaN or infinite ends the training with a `DivergedError`.
    With `run_dir` they also write curves and settings for TensorBoard; with `schema`,
    all that `tf_ctr.training.TensorBoard` describes. The same call after a kill resumes
    the run at its last backup. A line says so. Once the run is finished, the same call
    loads its final weights and trains nothing. A run with another model, optimizer,
    loss, number of batches, schema or data is refused: it needs another folder, or
    `resume=False`.

    The resumed run equals the unbroken one to the last bit: weights, optimizer, metrics
    of its epochs, orders of the rows, dropout and other noise. For that, batches come
    from `tf_ctr.data`, and steps that start equal end equal, as they do on a CPU. A
    backup is made after every epoch and every `every_steps` batches. The batches of the
    epoch before the backup are read again, but not trained on; your own callbacks see
    them, as in the unbroken run. With `steps_per_epoch`, pass `batches.repeat()`.

    Call it in the block of `workers`, where only the chief writes, and all workers
    resume from the same `run_dir`.

    Also pass `shuffle=False` to `fit`: `tf_ctr.data` shuffles the rows, and Keras would
    warn that it cannot.

    Args:
        run_dir: Folder of the run, one per model and training; `None` writes
            nothing.
        validation: Validation batches to log route shares of; `None` logs none.
        monitor: Metric of early stopping; of several labels, e.g. `"val_buy_auc"`.
        mode: Whether `monitor` is to be maximised or minimised.
        patience: Epochs without improvement before stopping.
        annealing: How the temperature of routers falls; `TemperatureAnnealing()` by
            default.
        resume: Whether to go on with the run in `run_dir`; `False` removes its state
            and starts over.
        schema: The schema, so that a run with another one is refused, and for
            TensorBoard.
        data: The training rows, so that a run on others is refused, and that a
            `DivergedError` can name the rows that are not finite. Without them, only
            the number of batches is compared.
        every_steps: Batches from one backup to the next, for epochs that take long;
            `None` backs the run up only after each epoch. A backup takes about the time
            that `model.save` does.

    Returns:
        The callbacks, in the order in which they must run.

    Raises:
        TypeError: If an argument has another type, e.g. rows in place of batches.
        ValueError: If an argument is out of range.

    Example:

    >>> [type(callback).__name__ for callback in callbacks()]
    ['StopIfNotFinite', 'TemperatureAnnealing', 'EarlyStopping']
    """
    for name, value, kind, fix in (
        ("annealing", annealing, TemperatureAnnealing, "TemperatureAnnealing()"),
        ("validation", validation, tf.data.Dataset, "data.from_rows(rows, schema)"),
        ("schema", schema, Schema, "Schema.load(path)"),
        ("data", data, pd.DataFrame, "frame, the training rows"),
    ):
        if not isinstance(value, kind | None):
            raise TypeError(
                explain(
                    f"`{name}` to be a {kind.__name__.removesuffix('V2')}",
                    type(value).__name__,
                    f"pass {name}={fix}",
                )
            )
    check_count("patience", patience, 0)
    if every_steps is not None:
        check_count("every_steps", every_steps, 1)
    annealing = annealing or TemperatureAnnealing()
    state = None if run_dir is None else pathlib.Path(run_dir) / FOLDER
    stopping = EarlyStopping(state, monitor, mode, patience)
    finite = StopIfNotFinite(stopping, schema, data)
    chosen: list[keras.callbacks.Callback] = [finite, annealing, stopping]
    routes = None
    if validation is not None and is_chief():
        routes = RouteLogger(validation, run_dir)
        chosen.append(routes)
    if run_dir is None:
        return chosen
    run = Resume(
        pathlib.Path(run_dir),
        resume,
        {
            "early stopping": {"monitor": monitor, "mode": mode, "patience": patience},
            "temperature": {
                "final": annealing.final_temperature,
                "epochs": annealing.epochs,
            },
            "schema": None if schema is None else schema_sum(schema),
            "data": None if data is None else frame_sum(data),
        },
    )
    # After EarlyStopping, so that its state includes every epoch that is backed up.
    backup = Backup(run, stopping, every_steps)
    scored = None if schema is None else validation
    board = TensorBoard(
        run_dir, schema, scored, monitor=monitor, mode=mode, routes=routes
    )
    return [run, *chosen, backup, *([board] if is_chief() else [])]


def _checked_weights(
    model: keras.Model, given: Mapping[str, float] | None
) -> dict[str, float] | None:
    """Returns a loss weight for each output; `None` if there are none."""
    if given is None:
        return None
    outputs = model.output
    if not isinstance(outputs, dict) or isinstance(model, UncertaintyModel):
        learned = isinstance(outputs, dict)
        raise ValueError(
            explain(
                "`loss_weights` only for a model of several labels, fixed",
                "a model that learns them" if learned else "a model with one output",
                "leave loss_weights out",
            )
        )
    if not isinstance(given, Mapping):
        raise TypeError(
            explain(
                "`loss_weights` by label",
                repr(given),
                f"pass loss_weights={ {name: 1.0 for name in outputs} }",
            )
        )
    for name, weight in given.items():
        check_name("label", name, outputs)
        if not (isinstance(weight, numbers.Real) and 0 < weight < float("inf")):
            raise ValueError(
                explain(
                    f"a finite loss weight above 0 for {name!r}",
                    repr(weight),
                    "to leave a label out, train a model of the other labels",
                )
            )
    return {name: float(given.get(name, 1.0)) for name in outputs}
