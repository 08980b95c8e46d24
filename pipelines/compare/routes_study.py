"""Asks what it gains to put layers of a tuned model back to its source.

    python -m pipelines.compare.routes_study --dataset movielens --data-dir DIR

For every seed, Fine-Tune chooses its learning rate among all by validation AUC; then
`tf_ctr.inference.choose_routes` chooses on the validation rows, and the test rows are
scored once: by the start as it is, by Fine-Tune, and by the choice. If you stop it,
the same command resumes where it stopped.
"""

import argparse
import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipelines.compare.rows import BASELINE, PRETRAINED, Row
from pipelines.compare.training import RowTraining
from pipelines.harness import options
from pipelines.harness.arguments import add_folders, add_numbers, parser
from pipelines.harness.datasets import DATASETS, SETTINGS
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.statistics import paired_tests
from pipelines.harness.tables import mean_and_spread, show_report, table
from pipelines.harness.trials import candidates
from tf_ctr.backbones import BACKBONES
from tf_ctr.evaluation import evaluate
from tf_ctr.inference import choose_routes

TITLES = {
    "start": "the start as it is",
    "fine_tune": "Fine-Tune",
    "chosen": "routes chosen",
}


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.compare.routes_study", __doc__)
    add_folders(
        program,
        "the folder that holds the data",
        "where results, logs and models go; default: "
        "runs/routes_study/<dataset>_<pretrain>",
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
        default="all",
        help="the domains that the start learns from; default: all",
    )
    add("--backbone", choices=BACKBONES, default="dcn", help="the model; default: dcn")
    add_numbers(program, [("seeds", 3, "runs")])
    add("--report", action="store_true", help="only print the table of finished runs")
    options.add_settings(program, SETTINGS)
    arguments = program.parse_args(argv)
    arguments.settings = options.settings(arguments, SETTINGS[arguments.dataset])
    name = f"{arguments.dataset}_{arguments.pretrain}"
    arguments.run_dir = arguments.run_dir or pathlib.Path("runs", "routes_study", name)
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing, and shows the table."""
    arguments = parse(argv)
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        run(lines, arguments)
    show_report(sections(lines.frame()), arguments.run_dir)


def run(lines: ResultLines, arguments: argparse.Namespace) -> None:
    """Trains and chooses with every seed, except those in `lines`."""
    made_with = {
        "dataset": arguments.dataset,
        "backbone": arguments.backbone,
        "pretrain": arguments.pretrain,
        "settings": dataclasses.asdict(arguments.settings),
    }
    lines.require({}, made_with)
    domains = DATASETS[arguments.dataset].load(arguments.data_dir)
    training = RowTraining(arguments.backbone, domains, arguments.run_dir)
    left = [seed for seed in range(arguments.seeds) if not lines.has(seed=seed)]
    progress = Progress(arguments.seeds, arguments.seeds - len(left))
    for seed in left:
        record = run_one(seed, training, arguments)
        lines.append({**made_with, **record, **provenance()})
        progress.step(f"seed {seed}: {record['chosen']:.4f}")


def run_one(
    seed: int, training: RowTraining, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Returns the test AUCs of one seed, and what was chosen."""
    settings, schema = arguments.settings, training.domains.schema
    rates = settings.learning_rates
    trials = candidates(settings, {"learning_rate": rates}, budget=len(rates))
    start, _ = training.tune(Row(arguments.pretrain, PRETRAINED), trials[:1], seed)
    row = Row(arguments.pretrain, BASELINE)
    tuned, result = training.tune(row, trials, seed, source_trial=trials[0])
    began = time.perf_counter()
    rows = training.domains.target.validation
    choice = choose_routes(tuned, rows, schema, start, seed=seed, verbose=0)
    seconds = time.perf_counter() - began
    models = {"start": start, "fine_tune": tuned, "chosen": choice.model}
    test = training.domains.target.test
    return {
        "seed": seed,
        **{name: evaluate(each, test, schema)["auc"] for name, each in models.items()},
        "learning_rate": result["chosen"]["learning_rate"],
        "from_source": [site for site, back in choice.from_source.items() if back],
        "unseen_gain": choice.unseen_gain,
        "unseen_gain_error": choice.unseen_gain_error,
        "seconds": seconds,
    }


def sections(results: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns a table of the test AUCs, and one of what was chosen.

    Args:
        results: Frame of the records of `run_one`.

    Returns:
        Pairs of a title and a Markdown text.
    """
    if results.empty:
        return []
    results = results.sort_values("seed")
    rows = []
    for name, title in TITLES.items():
        cells = [title, mean_and_spread(results[name])]
        for other in ("fine_tune", "start"):
            tests = paired_tests(results[name], results[other])
            shown = f"{tests.difference:+.4f} (p {tests.t_test:.2f})"
            cells.append("" if name == other else shown)
        rows.append(cells)
    head = ["", f"test AUC, {len(results)} seeds", "over Fine-Tune", "over the start"]
    choices = [
        [
            str(line.seed),
            f"{line.learning_rate:g}",
            ", ".join(line.from_source) or "nothing",
            f"{line.unseen_gain:+.4f} ± {line.unseen_gain_error:.4f}",
            f"{line.chosen - line.fine_tune:+.4f}",
            f"{line.seconds:.0f}",
        ]
        for line in results.itertuples()
    ]
    names = ["seed", "rate", "back to the start", "gain on unseen folds"]
    chosen = table([*names, "gain on test rows", "seconds"], choices)
    return [("Routes chosen after training", table(head, rows)), ("Choices", chosen)]


if __name__ == "__main__":
    main()
