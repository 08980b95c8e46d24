"""One training run: train a model, keep it on disk, and resume it after a kill."""

import dataclasses
import json
import pathlib
import shutil
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tf_ctr import data, evaluation, training
from tf_ctr.datasets import Splits
from tf_ctr.features import Schema
from tf_ctr.files import (
    DamagedError,
    checksum,
    read_sealed,
    replacing,
    write_sealed,
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Sizes and training settings that all rows of one table share.

    Attributes:
        embedding_dim: Width D of the embeddings.
        hidden_units: Widths of the deep layers.
        num_cross_layers: Number of cross layers.
        batch_size: Examples per step.
        epochs: Most epochs; early stopping usually ends a run sooner.
        patience: Epochs without a better validation AUC before stopping.
        dropout: Dropout rate of the deep layers.
        l2: L2 penalty on the kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.
        learning_rates: Candidates; each row chooses one by its validation AUC.
    """

    embedding_dim: int
    hidden_units: tuple[int, ...]
    num_cross_layers: int
    batch_size: int
    epochs: int
    patience: int
    dropout: float
    l2: float
    embedding_l2: float
    learning_rates: tuple[float, ...]

    def model_arguments(self) -> dict[str, Any]:
        """Returns the arguments of `tf_ctr.backbones.dcn`."""
        names = ("embedding_dim", "hidden_units", "num_cross_layers", "dropout")
        chosen = {name: getattr(self, name) for name in names}
        return {**chosen, "l2": self.l2, "embedding_l2": self.embedding_l2}


def train(
    build: Callable[[], keras.Model],
    splits: Splits,
    schema: Schema,
    settings: Settings,
    learning_rate: float,
    seed: int,
    run_dir: pathlib.Path,
    verbose: int | str,
    build_arguments: Mapping[str, Any] | None = None,
) -> tuple[keras.Model, dict[str, Any]]:
    """Trains a model on `splits.train`, or loads it if this run is finished.

    `run_dir` holds TensorBoard logs, `model.keras`, and `run.json` with the arguments
    and the result of the run. A killed run resumes where it stopped, and a finished
    one is loaded. With other arguments, or other weights at the start, it restarts.

    Args:
        build: Function without arguments that returns an uncompiled model.
        splits: Frames `train` and `validation`.
        schema: The fitted schema.
        settings: `Settings`.
        learning_rate: Learning rate.
        seed: Seed of the weights, the shuffling and the routers.
        run_dir: Folder of the run.
        verbose: Keras's verbosity.
        build_arguments: JSON-like, the other things that `build` depends on; with
            other values, it is another run.

    Returns:
        The model with its best weights, and a dict: `learning_rate`, `seed`,
        `train_rows`, `parameters`, `seconds`, `epochs_run` and `validation_auc`.
    """
    keras.utils.set_random_seed(seed)
    model = training.compile(build(), learning_rate)
    arguments = dataclasses.asdict(settings)
    del arguments["learning_rates"]  # The other candidates do not change this run.
    arguments |= {
        "learning_rate": learning_rate,
        "seed": seed,
        "train_rows": len(splits.train),
        "start": _fingerprint(model),
    }
    if build_arguments:
        arguments["build_arguments"] = build_arguments
    record = RunRecord(run_dir / "run.json", arguments)
    if "validation_auc" in record.result:
        print(f"  already finished, loaded from {run_dir}")
        _check_model(run_dir / "model.keras", record.result)
        model = keras.saving.load_model(run_dir / "model.keras")
    else:
        _fit(model, splits, schema, settings, seed, run_dir, record, verbose)
        auc = evaluation.evaluate(model, splits.validation, schema)["auc"]
        with replacing(run_dir / "model.keras") as partial:
            model.save(partial)
        record.update(model=checksum(run_dir / "model.keras"), validation_auc=auc)
    known = {name: record.result[name] for name in record.result if name != "model"}
    shown = {name: arguments[name] for name in ("learning_rate", "seed", "train_rows")}
    return model, {**shown, "parameters": model.count_params(), **known}


def _check_model(path, result):
    # Results of 0.2 lack the sum.
    if result.get("model", checksum(path)) != checksum(path):
        raise DamagedError(
            f"{path} as it was written",
            "another content",
            f"delete {path.parent}; the run then starts over",
        )


def _fit(model, splits, schema, settings, seed, run_dir, record, verbose):
    batches = data.from_frame(
        splits.train, schema, settings.batch_size, shuffle=True, seed=seed
    )
    validation = data.from_frame(splits.validation, schema, settings.batch_size)
    chosen = training.callbacks(run_dir, validation, patience=settings.patience)
    model.fit(
        batches,
        validation_data=validation,
        epochs=settings.epochs,
        callbacks=[Stopwatch(record), *chosen],
        shuffle=False,  # The batches are shuffled already.
        verbose=verbose,
    )


def _fingerprint(model):
    """Returns a checksum of the weights: another start is another run."""
    checksum = 0
    for array in model.get_weights():
        checksum = zlib.crc32(array.tobytes(), checksum)
    return checksum


def train_best(
    build: Callable[[], keras.Model],
    splits: Splits,
    schema: Schema,
    settings: Settings,
    learning_rates: Sequence[float],
    seed: int,
    run_dir: pathlib.Path,
    verbose: int | str,
) -> tuple[keras.Model, dict[str, Any]]:
    """Trains once per learning rate, and returns the best by validation AUC.

    Args:
        build: See `train`.
        splits: See `train`.
        schema: See `train`.
        settings: See `train`.
        learning_rates: Candidates; each is a training run.
        seed: See `train`.
        run_dir: The folder in which each candidate has its own.
        verbose: See `train`.

    Returns:
        The model and its record, as from `train`.
    """
    best = None
    for learning_rate in learning_rates:
        model, record = train(
            build,
            splits,
            schema,
            settings,
            learning_rate,
            seed,
            run_dir / f"learning_rate_{learning_rate:g}",
            verbose,
        )
        print(
            f"  learning rate {learning_rate:g}: validation AUC "
            f"{record['validation_auc']:.4f} after {record['epochs_run']} epochs, "
            f"{record['seconds']:.0f} s"
        )
        if best is None or record["validation_auc"] > best[1]["validation_auc"]:
            best = model, record
    return best


class RunRecord:
    """The arguments and the result of a run, on disk.

    A folder with the record of other arguments is deleted.

    Args:
        path: The JSON file.
        arguments: Everything that the run depends on.

    Attributes:
        result: The known results of the run.
    """

    def __init__(self, path: pathlib.Path, arguments: Mapping[str, Any]) -> None:
        self.path = path
        self.arguments = json.loads(json.dumps(arguments))  # Tuples become lists.
        self.result = {}
        if path.exists():
            fix = f"delete {path.parent}; the run then starts over"
            stored = read_sealed(path, "the result of a run", fix, _is_of_0_2)
            if stored["arguments"] == self.arguments:
                self.result = stored["result"]
            else:
                shutil.rmtree(path.parent)

    def update(self, **result: Any) -> None:
        """Adds to the result, and writes it."""
        self.result |= result
        record = {"arguments": self.arguments, "result": self.result}
        write_sealed(self.path, record)


def _is_of_0_2(values):
    return isinstance(values, dict) and set(values) == {"arguments", "result"}


class Stopwatch(keras.callbacks.Callback):
    """Counts seconds and epochs, also across kills; a lost epoch does not count.

    Args:
        record: Where the counts are written.
    """

    def __init__(self, record: RunRecord) -> None:
        super().__init__()
        self.record = record

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Marks the folder as this run's, and starts the clock."""
        self._before = self.record.result.get("seconds", 0.0)
        self._start = time.perf_counter()
        self.record.update()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Writes the time and the epochs so far."""
        seconds = self._before + time.perf_counter() - self._start
        self.record.update(seconds=seconds, epochs_run=epoch + 1)
