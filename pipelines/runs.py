"""One training run: train, keep on disk, take up again where it stopped."""

import dataclasses
import json
import os
import time

import keras

from tf_ctr import data, evaluation, training


@dataclasses.dataclass(frozen=True)
class Settings:
    """Sizes and training settings that all rows of one table share.

    Attributes:
        embedding_dim: Embedding dim D.
        hidden_units: Widths of the deep layers.
        num_cross_layers: Number of cross layers.
        batch_size: Examples per step.
        epochs: Most epochs; early stopping usually ends before.
        patience: Epochs without a better validation AUC before stopping.
        dropout: Dropout rate of the deep layers.
        l2: L2 penalty on the kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.
        learning_rates: Candidates; each row chooses by its validation AUC.
    """

    embedding_dim: int
    hidden_units: tuple
    num_cross_layers: int
    batch_size: int
    epochs: int
    patience: int
    dropout: float
    l2: float
    embedding_l2: float
    learning_rates: tuple

    def model_arguments(self):
        """The arguments of `tf_ctr.backbones.dcn`."""
        names = ("embedding_dim", "hidden_units", "num_cross_layers", "dropout")
        chosen = {name: getattr(self, name) for name in names}
        return {**chosen, "l2": self.l2, "embedding_l2": self.embedding_l2}


def train(build, splits, schema, settings, learning_rate, seed, run_dir, verbose):
    """Trains a model on `splits.train`, or loads it if this run is finished.

    Args:
        build: Function without arguments that returns an uncompiled model.
        splits: Frames `train` and `validation`.
        schema: The fitted schema.
        settings: `Settings`.
        learning_rate: Learning rate.
        seed: Seed of the weights, the shuffling and the routers.
        run_dir: Folder of the run: TensorBoard logs, `model.keras`, `run.json`.
        verbose: Keras's verbosity.

    Returns:
        The model with its best weights, and a dict: `validation_auc`, `seconds`,
        `epochs`, `parameters`, and the arguments of the run.
    """
    arguments = dataclasses.asdict(settings)
    del arguments["learning_rates"]  # Another candidate changes nothing here.
    arguments |= {
        "learning_rate": learning_rate,
        "seed": seed,
        "rows": len(splits.train),
    }
    record_path, model_path = run_dir / "run.json", run_dir / "model.keras"
    arguments = json.loads(json.dumps(arguments))  # Tuples become lists, as on disk.
    if record_path.exists():
        record = json.loads(record_path.read_text())
        if {key: record.get(key) for key in arguments} == arguments:
            print(f"  finished before, taken from {run_dir}")
            return keras.saving.load_model(model_path), record
    run_dir.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    model = training.compile(build(), learning_rate)
    start = time.perf_counter()
    history = _fit(model, splits, schema, settings, seed, run_dir, verbose)
    record = {
        **arguments,
        "seconds": time.perf_counter() - start,
        "epochs": len(history.epoch),
        "parameters": model.count_params(),
        "validation_auc": evaluation.evaluate(model, splits.validation, schema)["auc"],
    }
    partial = run_dir / "partial.keras"
    model.save(partial)
    os.replace(partial, model_path)
    record_path.write_text(json.dumps(record, indent=1))
    return model, record


def _fit(model, splits, schema, settings, seed, run_dir, verbose):
    batches = data.from_frame(
        splits.train, schema, settings.batch_size, shuffle=True, seed=seed
    )
    validation = data.from_frame(splits.validation, schema, settings.batch_size)
    return model.fit(
        batches,
        validation_data=validation,
        epochs=settings.epochs,
        callbacks=training.callbacks(run_dir, validation, patience=settings.patience),
        shuffle=False,  # The batches are.
        verbose=verbose,
    )


def train_best(build, splits, schema, settings, learning_rates, seed, run_dir, verbose):
    """Trains once per learning rate and keeps the best by validation AUC.

    Args:
        build: See `train`.
        splits: See `train`.
        schema: See `train`.
        settings: See `train`.
        learning_rates: Candidates; one candidate is one training.
        seed: See `train`.
        run_dir: Folder; each candidate has its own below it.
        verbose: See `train`.

    Returns:
        The model and its record, as `train`.
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
            f"{record['validation_auc']:.4f} after {record['epochs']} epochs, "
            f"{record['seconds']:.0f} s"
        )
        if best is None or record["validation_auc"] > best[1]["validation_auc"]:
            best = model, record
    return best
