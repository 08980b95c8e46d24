"""Pre-trains a DCN on the source domain, transfers it to the target, and exports it.

    python -m pipelines.quickstart
    python -m pipelines.quickstart --dataset movielens --data-dir ../shared/data

Trains the rows Target-only, Source-only, Fine-Tune and AutoFT, tests each once on the
target domain, prints one table, and exports AutoFT as a SavedModel. If you stop it, the
same command resumes where it stopped.
"""

import argparse
import dataclasses
import functools
import pathlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines.harness import options
from pipelines.harness.arguments import add_folders, add_numbers, new_folder, parser
from pipelines.harness.datasets import DATASETS, PAPER, SMALL
from pipelines.harness.runs import Settings, train_best
from pipelines.harness.tables import mean_and_spread, table
from tf_ctr import backbones, evaluation, transfer
from tf_ctr.datasets import TwoDomains, synthetic
from tf_ctr.export import docker_command, export

SETTINGS = {
    "synthetic": dataclasses.replace(SMALL, learning_rates=(1e-3,)),
    "movielens": dataclasses.replace(PAPER, learning_rates=(5e-4, 1e-3)),
}
ROWS = ("Target-only", "Source-only", "Fine-Tune", "AutoFT")
METRICS = ("auc", "log_loss", "gauc")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.quickstart", __doc__)
    add_folders(
        program,
        "the folder that holds ml-1m/",
        "where logs and models go; default: runs/<dataset>",
    )
    add = program.add_argument
    add(
        "--dataset",
        choices=SETTINGS,
        default="synthetic",
        help="the data set; default: synthetic",
    )
    add(
        "--export-dir",
        type=new_folder,
        metavar="DIR",
        help="where exported versions go; default: savedmodels/<dataset>_autoft",
    )
    add_numbers(program, [("seeds", 1, "runs per row")])
    add("--fresh", action="store_true", help="delete the runs in --run-dir first")
    options.add_settings(program, SETTINGS)
    arguments = program.parse_args(argv)
    arguments.settings = options.settings(arguments, SETTINGS[arguments.dataset])
    arguments.run_dir = arguments.run_dir or pathlib.Path("runs", arguments.dataset)
    arguments.export_dir = arguments.export_dir or pathlib.Path(
        "savedmodels", f"{arguments.dataset}_autoft"
    )
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    arguments = parse(argv)
    # Every row traces a model of its own, so TensorFlow's warning does not apply.
    tf.get_logger().setLevel("ERROR")
    if arguments.fresh:
        for run in arguments.run_dir.glob("seed_*/*/learning_rate_*"):
            shutil.rmtree(run)
    domains = DATASETS[arguments.dataset].load(arguments.data_dir)
    print(domains.summary().to_string())
    verbose = "auto" if sys.stdout.isatty() else 2
    records, models = run_seeds(
        domains, arguments.settings, arguments.seeds, arguments.run_dir, verbose
    )
    records.to_json(arguments.run_dir / "records.jsonl", orient="records", lines=True)
    ceiling = None
    if arguments.dataset == "synthetic":
        ceiling = synthetic.best_possible(domains.target.test)
    print(f"\nTarget test set, {len(domains.target.test):,} rows, ", end="")
    print(f"{arguments.seeds} seed(s), learning rate chosen on validation rows:\n")
    print(result_table(records, ceiling))
    difference = start_difference(models["Source-only"], domains)
    print(f"\nAutoFT before training differs from its source by {difference:.1e}.\n")
    export_and_show(models["AutoFT"], domains, arguments.export_dir)
    print(f"Watch: tensorboard --logdir {arguments.run_dir}")


def run_seeds(
    domains: TwoDomains,
    settings: Settings,
    seeds: int,
    run_dir: pathlib.Path,
    verbose: int | str,
) -> tuple[pd.DataFrame, dict[str, keras.Model]]:
    """Trains all rows with every seed; the first seed chooses the learning rates.

    Returns:
        Frame of records, one per row and seed, and the models of the first seed.
    """
    learning_rates = dict.fromkeys(ROWS, settings.learning_rates)
    records, models = [], {}
    for seed in range(seeds):
        results = run_seed(
            domains, settings, learning_rates, seed, run_dir / f"seed_{seed}", verbose
        )
        for row, (model, record) in results.items():
            records.append({"row": row, **record})
            models.setdefault(row, model)
            learning_rates[row] = (record["learning_rate"],)
    return pd.DataFrame(records), models


def run_seed(
    domains: TwoDomains,
    settings: Settings,
    learning_rates: Mapping[str, Sequence[float]],
    seed: int,
    run_dir: pathlib.Path,
    verbose: int | str,
) -> dict[str, tuple[keras.Model, dict[str, Any]]]:
    """Trains the four rows with one seed.

    Args:
        domains: `TwoDomains`.
        settings: `Settings`.
        learning_rates: Candidates per row, `{row: learning rates}`.
        seed: The seed.
        run_dir: Folder for the runs of this seed.
        verbose: Keras's verbosity.

    Returns:
        `{row: (model, record)}`; a record also holds the test metrics.
    """
    dcn = functools.partial(backbones.dcn, domains.schema, **settings.model_arguments())

    def train(row, build, splits):
        print(f"{row}, seed {seed}: {len(splits.train):,} training rows")
        model, record = train_best(
            build,
            splits,
            domains.schema,
            settings,
            learning_rates[row],
            seed,
            run_dir / row.lower(),
            verbose,
        )
        test = evaluation.evaluate(model, domains.target.test, domains.schema)
        return model, {**record, **test}

    source, source_record = train("Source-only", dcn, domains.source)
    return {
        "Target-only": train("Target-only", dcn, domains.target),
        "Source-only": (source, source_record),
        "Fine-Tune": train(
            "Fine-Tune", lambda: transfer.fine_tune(source), domains.target
        ),
        "AutoFT": train(
            "AutoFT", lambda: transfer.autoft(source, seed=seed), domains.target
        ),
    }


def result_table(
    records: pd.DataFrame, ceiling: Mapping[str, float] | None = None
) -> str:
    """Returns a Markdown table of the records: mean, and spread over seeds.

    Args:
        records: The records of `run_seeds`.
        ceiling: The best possible metrics, if they are known.
    """
    head = ["", "AUC", "LogLoss", "GAUC", "seconds", "parameters", "learning rate"]
    rows = [
        [
            row,
            *(mean_and_spread(group[name]) for name in METRICS),
            mean_and_spread(group["seconds"], ".0f"),
            f"{group['parameters'].iloc[0]:,}",
            f"{group['learning_rate'].iloc[0]:g}",
        ]
        for row, group in records.groupby("row", sort=False)
    ]
    if ceiling is not None:
        best = (f"{ceiling[name]:.4f}" for name in METRICS)
        rows.append(["*Best possible*", *best, "", "", ""])
    return table(head, rows)


def start_difference(source: keras.Model, domains: TwoDomains) -> float:
    """Returns by how much AutoFT differs from its source before any training."""
    rows = domains.target.test.head(8192)
    start = evaluation.predict(transfer.autoft(source), rows, domains.schema)
    return np.abs(start - evaluation.predict(source, rows, domains.schema)).max()


def export_and_show(
    model: keras.Model, domains: TwoDomains, directory: pathlib.Path
) -> None:
    """Exports the model, scores raw rows with it, and says how to serve it."""
    sample = domains.target.test.head(256)
    version = export(model, domains.schema, directory, sample=sample)
    rows = sample.head(3)
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    raw = {
        name: tf.constant(column)
        for name, column in domains.schema.raw_columns(rows).items()
    }
    scores = served(**raw)["click"].numpy()
    trained = evaluation.predict(model, rows, domains.schema)
    print("\nRaw rows, scored by the SavedModel and by the Keras model:")
    shown = rows[[field.name for field in domains.schema.fields]].assign(
        served=scores, trained=trained
    )
    print(shown.to_string(index=False, max_colwidth=24))
    print(f"largest difference: {np.abs(scores - trained).max():.1e}")
    print(f"\nLook:  saved_model_cli show --dir {version} --all")
    print(f"Check: tf_ctr check {version}")
    print(f"Serve: {how_to_serve(directory)}")


def how_to_serve(directory: pathlib.Path) -> str:
    """Returns the command that serves an export, or what it needs first."""
    if not (directory / "models.config").exists():
        return "pip install 'tf_ctr[serving]' and export again, to have models.config"
    return f"as {directory / 'README.md'} says:\n{docker_command(directory.resolve())}"


if __name__ == "__main__":
    main()
