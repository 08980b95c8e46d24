"""Studies AutoFT's options, one at a time, on validation rows.

    python -m pipelines.autoft_study --dataset movielens --data-dir ../shared/data

Every variation starts from the same source model and trains with the same settings and
seeds; it differs from the defaults only in the option that its name says. No test row
is read. If you stop it, the same command resumes where it stopped.
"""

import argparse
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipelines.compare.rows import BASELINE, Row
from pipelines.compare.training import RowTraining
from pipelines.harness import options, scoring
from pipelines.harness.arguments import add_folders, add_numbers, parser
from pipelines.harness.datasets import DATASETS, SETTINGS
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.tables import mean_and_spread, show_report, table
from pipelines.harness.trials import candidates
from tf_ctr.backbones import BACKBONES
from tf_ctr.datasets import TwoDomains

# Name: method and its arguments. AutoFT's defaults are policies of width 64, a
# temperature of 5 annealed to 0.5, a policy learning rate of 10 times the model's, and
# random logits. At 0.1 times, policies stay near an even chance, whatever the other
# options.
VARIATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "Fine-Tune": (BASELINE, {}),
    "AutoFT, defaults": ("autoft", {}),
    "policies x 0.1": ("autoft", {"policy_learning_rate_multiplier": 0.1}),
    "policies x 0.1, frozen with 0.01 at first": (
        "autoft",
        {"policy_learning_rate_multiplier": 0.1, "initial_frozen_probability": 0.01},
    ),
    "policies x 1": ("autoft", {"policy_learning_rate_multiplier": 1.0}),
    "frozen with 0.01 at first": ("autoft", {"initial_frozen_probability": 0.01}),
    "frozen with 0.1 at first": ("autoft", {"initial_frozen_probability": 0.1}),
    "frozen with 0.5 at first": ("autoft", {"initial_frozen_probability": 0.5}),
    "frozen with 0.9 at first": ("autoft", {"initial_frozen_probability": 0.9}),
    "policy width 16": ("autoft", {"policy_units": [16]}),
    "policy width 256": ("autoft", {"policy_units": [256]}),
    "temperature 0.5, constant": ("autoft", {"temperature": 0.5}),
    "temperature from 1": ("autoft", {"temperature": 1.0}),
    "no gradient into the policy's input": ("autoft", {"stop_policy_gradient": True}),
    "literal ReLU": ("autoft", {"literal_relu": True}),
    "entropy lowered, 0.01": ("autoft", {"entropy_weight": -0.01}),
    "entropy raised, 0.01": ("autoft", {"entropy_weight": 0.01}),
    "budget of 10 % frozen": ("autoft", {"budget": 0.1}),
    "budget of 50 % frozen": ("autoft", {"budget": 0.5}),
    "L2-SP on the copies, 0.001": ("autoft_l2_sp", {"alpha": 1e-3}),
    "L2-SP on the copies, 0.01": ("autoft_l2_sp", {"alpha": 1e-2}),
    "embeddings only": ("autoft", {"which": "embedding"}),
    "layers only": ("spottune", {}),
}


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.autoft_study", __doc__)
    add_folders(
        program,
        "the folder that holds the data",
        "where results, logs and models go; default: runs/autoft_study/<dataset>",
    )
    add = program.add_argument
    add(
        "--dataset",
        choices=DATASETS,
        default="synthetic",
        help="the data set; default: synthetic",
    )
    add(
        "--pretrain",
        choices=["source", "all"],
        default="source",
        help="the domains that the source model learns from; default: source",
    )
    add("--backbone", choices=BACKBONES, default="dcn", help="the model; default: dcn")
    add_numbers(program, [("seeds", 3, "runs per variation")])
    add("--report", action="store_true", help="only print the table of finished runs")
    options.add_settings(program, SETTINGS)
    arguments = program.parse_args(argv)
    arguments.settings = options.settings(arguments, SETTINGS[arguments.dataset])
    default = pathlib.Path("runs", "autoft_study", arguments.dataset)
    arguments.run_dir = arguments.run_dir or default
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing, and shows the table."""
    arguments = parse(argv)
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        run(DATASETS[arguments.dataset].load(arguments.data_dir), lines, arguments)
    show_report(sections(lines.frame()), arguments.run_dir)


def run(domains: TwoDomains, lines: ResultLines, arguments: argparse.Namespace) -> None:
    """Trains every variation with every seed, except those in `lines`."""
    made_with = {
        "dataset": arguments.dataset,
        "backbone": arguments.backbone,
        "pretrain": arguments.pretrain,
        "settings": dataclasses.asdict(arguments.settings),
    }
    lines.require({}, made_with)
    training = RowTraining(arguments.backbone, domains, arguments.run_dir)
    todo = [(name, seed) for seed in range(arguments.seeds) for name in VARIATIONS]
    left = [
        (name, seed) for name, seed in todo if not lines.has(variation=name, seed=seed)
    ]
    progress = Progress(len(todo), len(todo) - len(left))
    for name, seed in left:
        record = run_one(name, seed, training, arguments)
        lines.append({**made_with, **record, **provenance()})
        progress.step(f"{name}, seed {seed}: {record['validation_auc']:.4f}")


def run_one(
    name: str, seed: int, training: RowTraining, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Trains one variation with one seed, and returns its record."""
    row, own = variation(name, arguments.pretrain)
    settings = arguments.settings
    space = {option: (value,) for option, value in own.items()}
    (trial,) = candidates(settings, space, budget=1)
    (plain,) = candidates(settings, {}, budget=1)
    model, result = training.tune(row, [trial], seed, source_trial=plain)
    return {
        "variation": name,
        "seed": seed,
        "validation_auc": result["validation_auc"],
        "epochs_run": result["epochs_run"],
        "seconds": result["seconds"],
        "routes": scoring.routes(model, training.domains, settings.batch_size),
        "chosen": result["chosen"],
    }


def variation(name: str, group: str) -> tuple[Row, dict[str, Any]]:
    """Returns the `Row` of a variation, and the arguments of its method."""
    method, own = VARIATIONS[name]
    own = dict(own)
    return Row(group, method, own.pop("which", "")), own


def sections(results: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns a table of the validation AUC per variation, best first.

    Args:
        results: Frame of the records of `run_one`.

    Returns:
        Pairs of a title and a Markdown text.
    """
    if results.empty:
        return []
    baseline = results[results["variation"] == "Fine-Tune"].set_index("seed")
    rows = []
    for name, runs in results.groupby("variation"):
        aucs = runs.set_index("seed")["validation_auc"]
        gain = (aucs - baseline["validation_auc"]).dropna()
        shares = pd.DataFrame(runs["routes"].to_list()).to_numpy()
        frozen = f"{shares.mean():.2f}" if shares.size else ""
        cells = [mean_and_spread(aucs), f"{gain.mean():+.4f}", frozen, str(len(aucs))]
        rows.append((aucs.mean(), [name, *cells]))
    head = ["", "validation AUC", "over Fine-Tune", "frozen share", "seeds"]
    ranked = [cells for _, cells in sorted(rows, reverse=True)]
    return [("AutoFT's options", table(head, ranked))]


if __name__ == "__main__":
    main()
