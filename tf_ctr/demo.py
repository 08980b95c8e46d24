"""Runs a transfer from start to end on a small synthetic world: `tf_ctr demo`."""

import math
import os
import pathlib
from collections.abc import Callable

import keras
import pandas as pd

from tf_ctr import backbones, data, evaluation, training, transfer
from tf_ctr.datasets import Splits, TwoDomains, synthetic
from tf_ctr.errors import explain
from tf_ctr.export import export
from tf_ctr.export.checks import check_model_name
from tf_ctr.files import (
    MANIFEST,
    read_manifest,
    read_sealed,
    whole_folder,
    write_sealed,
)
from tf_ctr.files.models import load_model

SETTINGS_FILE = "demo.json"
BATCH_SIZE = 512
BEST = "Best possible"


def run(
    run_dir: str | os.PathLike,
    rows: int = 100_000,
    epochs: int = 8,
    seed: int = 0,
    export_dir: str | os.PathLike | None = None,
) -> pd.DataFrame:
    """Trains four models, prints their test metrics in one table, and returns it.

    One DCN is trained on the source domain, another on the few rows of the target
    domain. `fine_tune` and `autoft` transfer the first one to the target. All four are
    tested on the target's last two days.

    Args:
        run_dir: Folder for models and logs. A killed run resumes from it, and models
            in it are not trained again.
        rows: Rows of the source domain; the target has a tenth of them.
        epochs: Most epochs of each model; early stopping usually stops earlier.
        seed: Seed of the world and of all training.
        export_dir: Where to export the model of `autoft` for TF Serving, as the next
            version; `None` does not export.

    Returns:
        One line per model, and one for the true click probabilities: `model`, `auc`,
        `log_loss`.

    Raises:
        ValueError: If `run_dir` holds a demo with other settings, or TF Serving cannot
            serve a model of the name of `export_dir`.
    """
    if export_dir is not None:  # Before training, which takes a minute.
        check_model_name(pathlib.Path(export_dir).name)
    run_dir = pathlib.Path(run_dir)
    _keep_settings(run_dir, {"rows": rows, "epochs": epochs, "seed": seed})
    print(f"Models and logs are in {run_dir}", flush=True)
    domains = synthetic.generate(
        rows, max(rows // 10, 500), num_users=1000, num_items=300, seed=seed
    )
    test = domains.target.test
    for name, splits in (("source", domains.source), ("target", domains.target)):
        print(f"{name}: {len(splits.train):,} training rows")

    def fit(name: str, build: Callable[[], keras.Model], splits: Splits) -> keras.Model:
        return _trained(run_dir, name, build, splits, domains, epochs, seed)

    def dcn() -> keras.Model:
        return backbones.dcn(domains.schema, hidden_units=(64, 32))

    source = fit("Source only", dcn, domains.source)
    models = {
        "Source only": source,
        "Target only": fit("Target only", dcn, domains.target),
        "Fine-tuned": fit(
            "Fine-tuned", lambda: transfer.fine_tune(source), domains.target
        ),
        "AutoFT": fit(
            "AutoFT", lambda: transfer.autoft(source, seed=seed), domains.target
        ),
    }
    metrics = {
        name: evaluation.evaluate(model, test, domains.schema)
        for name, model in models.items()
    }
    metrics[BEST] = synthetic.best_possible(test)
    columns = ["auc", "log_loss"]
    table = pd.DataFrame.from_dict(metrics, orient="index")[columns]
    _print_result(table, domains)
    if export_dir is not None:
        export(models["AutoFT"], domains.schema, export_dir, sample=test.head(256))
    print(
        f"\nCurves: tensorboard --logdir {run_dir}\n"
        "With your own data: https://github.com/tf-ctr/tf_ctr#readme"
    )
    return table.reset_index(names="model")


def _keep_settings(run_dir: pathlib.Path, settings: dict[str, int]) -> None:
    """Writes the settings to the folder; raises if it holds other settings."""
    file = run_dir / SETTINGS_FILE
    if not file.exists():
        write_sealed(file, settings)
        return
    fix = "use another folder, or delete this one"
    known = read_sealed(file, "the settings of the demo", fix, _is_of_0_2)
    if known != settings:
        raise ValueError(
            explain(
                f"the settings of the demo in {run_dir}, {known}",
                settings,
                "pass these settings to resume it, or another folder",
            )
        )


def _is_of_0_2(values):
    return isinstance(values, dict) and set(values) == {"rows", "epochs", "seed"}


def _trained(
    run_dir: pathlib.Path,
    name: str,
    build: Callable[[], keras.Model],
    splits: Splits,
    domains: TwoDomains,
    epochs: int,
    seed: int,
) -> keras.Model:
    """Returns a trained model: loads it from the folder, or trains and saves it."""
    folder = run_dir / name.lower().replace(" ", "_")
    if (folder / "model.keras").exists():
        print(f"{name}: trained before")
        if not (folder / MANIFEST).exists():  # Of version 0.2.
            return load_model(folder / "model.keras")
        fix = f"delete {folder}; the same call trains the model again"
        with read_manifest(folder, f"the model {name!r}", fix).checking():
            return load_model(folder / "model.keras")

    def report(epoch: int, logs: dict[str, float]) -> None:
        auc = logs["val_auc"]
        print(f"{name}: epoch {epoch + 1}, validation AUC {auc:.4f}", flush=True)

    keras.utils.set_random_seed(seed)
    model = training.compile(build(), 2e-3)
    train, validation = (
        data.from_frame(frame, domains.schema, BATCH_SIZE, shuffle=shuffle, seed=seed)
        for frame, shuffle in ((splits.train, True), (splits.validation, False))
    )
    logs = run_dir / "logs" / folder.name
    callbacks = training.callbacks(logs, validation, patience=2)
    callbacks.append(keras.callbacks.LambdaCallback(on_epoch_end=report))
    model.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        callbacks=callbacks,
        shuffle=False,  # `from_frame` shuffles; Keras warns that it cannot.
        verbose=0,
    )
    with whole_folder(folder) as partial:
        model.save(partial / "model.keras")
    return model


def _print_result(table: pd.DataFrame, domains: TwoDomains) -> None:
    clicks = domains.target.test[domains.schema.label]
    # An upper bound of the standard error of an AUC (van Dantzig, 1951).
    fewer = min(clicks.sum(), len(clicks) - clicks.sum())
    error = math.sqrt((table.auc * (1 - table.auc)).max() / fewer)
    print(f"\nTarget, {len(clicks):,} test rows:\n")
    print(table.to_string(float_format="{:.4f}".format))
    print(
        f"\nOne seed; the standard error of an AUC is up to {error:.3f} here. The best "
        "possible scores\nare the true click probabilities, which the generator knows."
    )
