"""Writes and reads everything that a run goes on from, in one folder."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from tf_ctr.errors import explain
from tf_ctr.files import MANIFEST, read_manifest, whole_folder
from tf_ctr.training.steps import Position

# The names of version 0.2, whose backups have neither a manifest nor settings.
WEIGHTS, EPOCH = "latest.weights.h5", "training_metadata.json"
# What Keras keeps out of the file of weights.
NOISE, METRICS = "noise.npz", "metrics.npz"
FORMAT = 3


def save_state(model: keras.Model, position: Position, folder: pathlib.Path) -> None:
    """Writes the state of a run; a failure keeps the old content of the folder.

    Args:
        model: The model: its weights, the variables of its optimizer and of its
            metrics, and the seeds of dropout and other noise.
        position: Where the run is.
        folder: The folder to write.

    Raises:
        OSError: If the disk is full, or for another failure to write.
    """
    try:
        with whole_folder(folder) as partial:
            model.save_weights(partial / WEIGHTS)
            _save_arrays(partial / NOISE, _noise(model))
            _save_arrays(partial / METRICS, model.metrics_variables)
            values = {**dataclasses.asdict(position), "format": FORMAT}
            (partial / EPOCH).write_text(json.dumps(values))
    except OSError as error:
        kept = "the state before is kept" if folder.exists() else "there is none before"
        raise OSError(
            error.errno,
            explain(
                f"to write the state of the run to {folder}",
                str(error),
                f"free space on that disk, and start the same command again; {kept}",
            ),
        ) from error


def restore_state(
    model: keras.Model, folder: pathlib.Path, fix: str, metrics: bool = False
) -> Position:
    """Restores a model from a folder; returns where the run was.

    Args:
        model: The model.
        folder: A folder that `save_state` wrote.
        fix: What to do if it is damaged, for errors.
        metrics: Whether to restore the metrics too, which must have variables.

    Raises:
        DamagedError: If a file is missing or damaged.
        ValueError: For a model that is not built.
    """
    if not _is_of_0_2(folder):
        # Before loading: the weights go into the model at once.
        read_manifest(folder, "the state of the run", fix).check()
    if not model.built:
        raise ValueError(
            explain(
                "a built model to resume",
                "a model without weights",
                "call the model on a batch before `fit`",
            )
        )
    optimizer = model.optimizer
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    model.load_weights(folder / WEIGHTS)
    _load_arrays(folder / NOISE, _noise(model))
    if metrics:
        _load_arrays(folder / METRICS, model.metrics_variables)
    return _position(json.loads((folder / EPOCH).read_text()))


def _position(values: Mapping[str, int]) -> Position:
    # Before format 3, only whole epochs were saved.
    names = [field.name for field in dataclasses.fields(Position)]
    if values.get("format") != FORMAT:
        return Position(values["epoch"], opened=values["epoch"])
    return Position(**{name: values[name] for name in names})


def _noise(model: keras.Model) -> list[keras.Variable]:
    """The seeds of dropout and other noise: variables that are not weights."""
    weights = {id(variable) for variable in model.weights}
    return [each for each in model.variables if id(each) not in weights]


def _save_arrays(path: pathlib.Path, variables: Sequence[keras.Variable]) -> None:
    with path.open("wb") as file:
        np.savez(file, *(np.asarray(each) for each in variables))


def _load_arrays(path: pathlib.Path, variables: Sequence[keras.Variable]) -> None:
    if not path.exists():  # Written before format 3.
        return
    with np.load(path, allow_pickle=False) as arrays:
        values = [arrays[name] for name in arrays.files]
    own, other = ([tuple(a.shape) for a in each] for each in (variables, values))
    if own != other:
        raise ValueError(
            explain(
                f"the variables of {path}, of shapes {other}",
                f"shapes {own}",
                "compile the same model with the same metrics",
            )
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _is_of_0_2(folder: pathlib.Path) -> bool:
    if (folder / MANIFEST).exists():
        return False
    try:
        return "format" not in json.loads((folder / EPOCH).read_text())
    except (OSError, ValueError):
        return False
