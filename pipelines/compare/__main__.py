"""Compares transfer methods: tables 3, 4 and 5 and figure 3 of the AutoFT paper.

    python -m pipelines.compare
    python -m pipelines.compare --dataset movielens --data-dir ../shared/data --seeds 5
    python -m pipelines.compare --data own.toml --seeds 3

The last form compares the methods on files of your own; `pipelines/compare/README.md`
says what the TOML file holds.

For every seed, one model is pre-trained on the source domain and another on both
domains; every method starts from these. Each row of the table may try the same number
of settings with the first seed, and the validation AUC chooses among them; the other
seeds use the chosen setting. The test rows are scored once per row and seed, after all
choices. If you stop it, the same command resumes where it stopped.
"""

import argparse
import pathlib
import shutil
from collections.abc import Sequence

import tensorflow as tf

from pipelines.compare.comparison import Comparison, Plan
from pipelines.compare.report import current_runs, sections
from pipelines.compare.rows import METHODS, TARGET_ONLY, rows
from pipelines.compare.views import draw, write_hparams
from pipelines.harness import options
from pipelines.harness.arguments import add_folders, add_numbers, existing_file, parser
from pipelines.harness.datasets import DATASETS, SETTINGS, SMALL
from pipelines.harness.extras import require
from pipelines.harness.own_data import load_own
from pipelines.harness.results import ResultLines
from pipelines.harness.tables import show_report
from tf_ctr.backbones import BACKBONES

COMPONENTS = ("embedding", "cross", "deep", "cross+deep")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.compare", __doc__)
    add_folders(
        program,
        "the folder that holds the data",
        "where results, logs and models go; default: runs/compare/<dataset>",
    )
    add = program.add_argument
    add(
        "--dataset",
        choices=DATASETS,
        default="synthetic",
        help="the data set; default: synthetic",
    )
    add(
        "--data",
        type=existing_file,
        metavar="FILE",
        help="a TOML file that describes your own two domains, in place of --dataset",
    )
    methods = [TARGET_ONLY, *METHODS]
    # NATR needs a field with the user's history of items, which few data sets have.
    usual = [name for name in methods if not _needs_history(name)]
    for name, choices, default, text in [
        ("backbone", BACKBONES, ["dcn"], "backbones"),
        ("methods", methods, usual, "methods"),
        ("pretrain", ["source", "all"], ["source", "all"], "domains to pre-train on"),
        ("components", COMPONENTS, [], "parts that AutoFT routes, one more row each"),
    ]:
        shown = f"from {', '.join(choices)}; default: {' '.join(default) or 'none'}"
        many = {"nargs": "+", "choices": choices, "metavar": "NAME"}
        add(f"--{name}", default=default, help=f"{text}, {shown}", **many)
    add_numbers(
        program,
        [
            ("seeds", 1, "runs per row"),
            ("budget", 4, "settings that every row may try with the first seed"),
        ],
    )
    add("--fresh", action="store_true", help="delete the runs and results in --run-dir")
    add(
        "--report",
        "--report-only",
        action="store_true",
        help="only make tables and figures from the results in --run-dir",
    )
    options.add_settings(program, SETTINGS)
    arguments = program.parse_args(argv)
    if arguments.fresh and arguments.report:
        program.error("--fresh would delete the results that --report reads")
    preset = SETTINGS[arguments.dataset]
    if arguments.data is not None:
        arguments.dataset, preset = arguments.data.stem, SMALL
    arguments.settings = options.settings(arguments, preset)
    default = pathlib.Path("runs", "compare", arguments.dataset)
    arguments.run_dir = arguments.run_dir or default
    return arguments


def _needs_history(name):
    return name in METHODS and "history" in METHODS[name].takes


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the missing rows, and shows tables and figures."""
    arguments = parse(argv)
    require("matplotlib", "scipy")
    # Every trial traces a model of its own, so TensorFlow's warning does not apply.
    tf.get_logger().setLevel("ERROR")
    if arguments.fresh:
        forget(arguments.run_dir)
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        compare(arguments, lines)
    show(lines.records, arguments.run_dir)


def compare(arguments: argparse.Namespace, lines: ResultLines) -> None:
    """Trains and tests every row that is not in `lines` yet."""
    if arguments.data is None:
        domains = DATASETS[arguments.dataset].load(arguments.data_dir)
    else:
        domains = load_own(arguments.data)
    print(domains.summary().to_string())
    for backbone in arguments.backbone:
        plan = Plan(
            arguments.dataset,
            backbone,
            rows(arguments.methods, arguments.pretrain, arguments.components),
            arguments.settings,
            arguments.seeds,
            arguments.budget,
        )
        Comparison(plan, domains, arguments.run_dir, lines).run()


def show(records: Sequence[dict], run_dir: pathlib.Path) -> None:
    """Prints the tables, and writes them with the figures and the HPARAMS view."""
    show_report(sections(records), run_dir)
    write_hparams(records, run_dir / "hparams")
    runs = current_runs(records)
    for backbone in runs["backbone"].unique() if len(runs) else ():
        of_backbone = runs[runs["backbone"] == backbone]
        draw(of_backbone, run_dir / "figures" / backbone)
    print(f"Figures: {run_dir / 'figures'}    Watch: tensorboard --logdir {run_dir}")


def forget(run_dir: pathlib.Path) -> None:
    """Deletes the runs and results of earlier comparisons, and no other file."""
    for backbone in BACKBONES:
        shutil.rmtree(run_dir / backbone, ignore_errors=True)
    (run_dir / "results.jsonl").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
