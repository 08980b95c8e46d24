"""Writes and reads everything that a run goes on from, in one folder."""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from tf_ctr.errors import explain
from tf_ctr.files import MANIFEST, read_manifest, whole_folder
from tf_ctr.training.steps import Position
from tf_ctr.training.workers import is_chief

# One file for all variables. HDF5, in which Keras writes weights, ends the process by a
# segmentation fault when the disk is full (h5py 3.15).
VARIABLES, POSITION = "variables.npz", "training_metadata.json"
FORMAT = 3
# What versions before wrote: no noise and no metrics; 0.2 wrote no manifest either.
WEIGHTS = "latest.weights.h5"


def save_state(model: keras.Model, position: Position, folder: pathlib.Path) -> None:
    """Writes the state of a run; a failure keeps the old content of the folder.

    Of several workers only the chief writes; all must call it.

    Args:
        model: The model: its weights, the seeds of dropout and other noise, the
            variables of its optimizer and of its metrics.
        position: Where the run is.
        folder: The folder to write.

    Raises:
        OSError: If the disk is full, or for another failure to write.
    """
    arrays = {
        f"{group}_{index}": np.asarray(variable)
        for group, variables in _variables(model).items()
        for index, variable in enumerate(variables)
    }
    if not is_chief():  # Every worker takes part in adding up the metrics.
        return
    values = {**dataclasses.asdict(position), "format": FORMAT}
    with explaining_full_disk(folder), whole_folder(folder) as partial:
        with (partial / VARIABLES).open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        (partial / POSITION).write_text(json.dumps(values))


@contextlib.contextmanager
def explaining_full_disk(folder: pathlib.Path) -> Iterator[None]:
    """Says what to do when the state of a run cannot be written.

    Args:
        folder: What is written, whole or not at all.

    Raises:
        OSError: Of the same number, with the fix.
    """
    try:
        yield
    except OSError as error:
        kept = "what was there is kept" if folder.exists() else "nothing was there"
        raise OSError(
            error.errno,
            explain(
                f"to write the state of the run to {folder}",
                f"{error}; {kept}",
                "free space on that disk, and start the same command again",
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
    if (folder / VARIABLES).exists():
        _load(model, folder / VARIABLES, metrics)
    else:
        model.load_weights(folder / WEIGHTS)
    values = json.loads((folder / POSITION).read_text())
    if values.get("format") != FORMAT:  # Only whole epochs were saved.
        return Position(values["epoch"])
    names = [field.name for field in dataclasses.fields(Position)]
    return Position(**{name: values[name] for name in names})


def _variables(model: keras.Model) -> dict[str, list[keras.Variable]]:
    optimizer = model.optimizer
    return {
        "model": model.variables,
        "optimizer": [] if optimizer is None else optimizer.variables,
        "metric": model.metrics_variables,
    }


def _load(model: keras.Model, path: pathlib.Path, metrics: bool) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        for group, variables in _variables(model).items():
            if group == "metric" and not metrics:
                continue
            names = [name for name in arrays.files if name.startswith(f"{group}_")]
            values = [arrays[name] for name in names]
            _check_shapes(path, group, variables, values)
            for variable, value in zip(variables, values, strict=True):
                own = np.asarray(variable).dtype
                # NumPy reads bfloat16 as bytes of no type.
                variable.assign(value.view(own) if value.dtype.kind == "V" else value)


def _check_shapes(
    path: pathlib.Path,
    group: str,
    variables: Sequence[keras.Variable],
    values: Sequence[np.ndarray],
) -> None:
    own, other = ([tuple(a.shape) for a in each] for each in (variables, values))
    if own != other:
        raise ValueError(
            explain(
                f"the {group} whose variables are in {path}, of shapes {other}",
                f"shapes {own}",
                "build and compile the same model, with the same metrics",
            )
        )


def _is_of_0_2(folder: pathlib.Path) -> bool:
    if (folder / MANIFEST).exists():
        return False
    try:
        return "format" not in json.loads((folder / POSITION).read_text())
    except (OSError, ValueError):
        return False
