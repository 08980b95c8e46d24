"""Defaults for `model.compile` and `model.fit`; both stay Keras's own."""

import pathlib

import keras

from tf_ctr.metrics import AUC, LogLoss
from tf_ctr.optimizers import SparseAdam
from tf_ctr.training.early_stopping import EarlyStopping
from tf_ctr.training.routing import RouteLogger, TemperatureAnnealing


def compile(model, learning_rate=1e-3):
    """Compiles a click model the usual way.

    The same as `model.compile(SparseAdam(learning_rate), "binary_crossentropy",
    metrics=[AUC(), LogLoss()])`; write that line to use anything else.

    Args:
        model: A `keras.Model` from fields to the click probability `[B, 1]`.
        learning_rate: A float or a Keras schedule. AutoFT tunes it in
            [1e-4, 1e-3].

    Returns:
        `model`.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(inputs["age"])
    >>> type(compile(keras.Model(inputs, click)).optimizer).__name__
    'SparseAdam'
    """
    model.compile(
        optimizer=SparseAdam(learning_rate),
        loss="binary_crossentropy",
        metrics=[AUC(), LogLoss()],
    )
    return model


def callbacks(
    run_dir=None,
    validation=None,
    monitor="val_auc",
    mode="max",
    patience=3,
    final_temperature=0.5,
    annealing_epochs=10,
):
    """Returns the callbacks of a training run, for `model.fit(callbacks=...)`.

    Pass `shuffle=False` to `fit` too: batches of `tf_ctr.data` shuffle themselves, and
    Keras warns that it cannot.

    Early stopping with the best weights restored; annealing of the routers'
    temperature; and with `run_dir`, TensorBoard curves (losses, metrics, learning
    rate, temperature, route shares) and resume: the same call after a kill goes on
    with the epoch that was running.

    Args:
        run_dir: Folder of the run, one per model and training; `None` writes
            nothing.
        validation: Validation batches to log route shares of; `None` logs none.
        monitor: Metric of early stopping.
        mode: `"max"` or `"min"`.
        patience: Epochs without improvement before stopping.
        final_temperature: See `TemperatureAnnealing`.
        annealing_epochs: See `TemperatureAnnealing`.

    Returns:
        List of Keras callbacks.

    Example:

    >>> [type(callback).__name__ for callback in callbacks()]
    ['TemperatureAnnealing', 'EarlyStopping']
    """
    run_dir = None if run_dir is None else pathlib.Path(run_dir)
    state_dir = None if run_dir is None else run_dir / "early_stopping"
    chosen = [
        TemperatureAnnealing(final_temperature, annealing_epochs),
        EarlyStopping(state_dir, monitor, mode, patience),
    ]
    if validation is not None:
        chosen.append(RouteLogger(validation, run_dir))
    if run_dir is not None:
        # After EarlyStopping: an epoch is backed up once it has been judged.
        chosen.append(
            keras.callbacks.BackupAndRestore(
                str(run_dir / "backup"), double_checkpoint=True
            )
        )
        chosen.append(keras.callbacks.TensorBoard(str(run_dir), write_graph=False))
    return chosen
