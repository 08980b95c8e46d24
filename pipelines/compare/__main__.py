"""Compare transfer methods: tables 3, 4 and 5 and Figure 3 of the AutoFT paper.

    python -m pipelines.compare
    python -m pipelines.compare --dataset movielens --data-dir ../shared/data --seeds 5

Pre-trains a model per seed on the source domain, and another on both domains; every
method starts from these. Every row may try the same number of settings with the first
seed, chosen by validation AUC; the other seeds follow. The test rows are scored once
per row and seed, after all choices. Killed at any moment, the same command goes on.
"""

import pathlib
import shutil

import tensorflow as tf

from pipelines.compare import hparams
from pipelines.compare.comparison import Comparison, Plan
from pipelines.compare.figures import draw
from pipelines.compare.report import current_runs, report
from pipelines.compare.rows import METHODS, TARGET_ONLY, rows
from pipelines.harness import options
from pipelines.harness.presets import DATASETS, PRESETS
from pipelines.harness.results import ResultLines
from tf_ctr.backbones import BACKBONES
from tf_ctr.files import replacing

COMPONENTS = ("embedding", "cross", "deep", "cross+deep")


def parse_arguments(argv=None):
    """Reads the command line; everything wrong is said before any work."""
    parser = options.program(
        "pipelines.compare",
        __doc__,
        "folder of the data",
        RUN_DIR_HELP,
    )
    add = parser.add_argument
    add("--dataset", choices=DATASETS, default="synthetic", help="default: synthetic")
    _add_names(add, "backbone", BACKBONES, ["dcn"], "backbones")
    methods = [TARGET_ONLY, *METHODS]
    without_natr = [name for name in methods if not _needs_history(name)]
    _add_names(add, "methods", methods, without_natr, "methods")
    _add_names(add, "pretrain", ["source", "all"], ["source", "all"], "groups of rows")
    _add_names(add, "components", COMPONENTS, [], "further rows: what AutoFT routes")
    count = options.number(int, 1)
    add("--seeds", type=count, default=1, metavar="N", help="default: 1")
    add(
        "--budget",
        type=count,
        default=4,
        metavar="N",
        help="settings that every row may try with the first seed; default: 4",
    )
    add("--fresh", action="store_true", help="forget the runs and results in --run-dir")
    add(
        "--report-only",
        action="store_true",
        help="make table and figures from the results in --run-dir, without training",
    )
    options.add_settings(parser, PRESETS)
    arguments = parser.parse_args(argv)
    if arguments.fresh and arguments.report_only:
        parser.error("--fresh would remove what --report-only reads")
    arguments.settings = options.settings(arguments, PRESETS[arguments.dataset])
    default = pathlib.Path("runs", "compare", arguments.dataset)
    arguments.run_dir = arguments.run_dir or default
    return arguments


RUN_DIR_HELP = "results, logs and models; default: runs/compare/<dataset>"


def _add_names(add, option, choices, default, text):
    add(
        f"--{option}",
        nargs="+",
        choices=choices,
        default=default,
        metavar="NAME",
        help=f"{text}, of {', '.join(choices)}; default: {' '.join(default) or 'none'}",
    )


def _needs_history(name):
    return name in METHODS and "history" in METHODS[name].takes


def compare(arguments, lines):
    """Trains and tests what `lines` does not have yet."""
    domains = DATASETS[arguments.dataset].load(arguments.data_dir)
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


def show(records, run_dir):
    """Prints the tables; writes them, the figures and the HPARAMS view."""
    text = report(records)
    print(f"\n{text}\n")
    with replacing(run_dir / "report.md") as partial:
        partial.write_text(text + "\n")
    hparams.write(records, run_dir / "hparams")
    runs = current_runs(records)
    for backbone in runs["backbone"].unique() if len(runs) else ():
        of_backbone = runs[runs["backbone"] == backbone]
        draw(of_backbone, run_dir / "figures" / backbone)
    print(f"Figures: {run_dir / 'figures'}    Watch: tensorboard --logdir {run_dir}")


def forget(run_dir):
    """Removes what earlier comparisons left in a folder, and nothing else."""
    for backbone in BACKBONES:
        shutil.rmtree(run_dir / backbone, ignore_errors=True)
    (run_dir / "results.jsonl").unlink(missing_ok=True)


def main(argv=None):
    """Runs the command."""
    arguments = parse_arguments(argv)
    tf.get_logger().setLevel("ERROR")  # A model per trial is traced anew, as it must.
    if arguments.fresh:
        forget(arguments.run_dir)
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report_only:
        compare(arguments, lines)
    show(lines.records, arguments.run_dir)


if __name__ == "__main__":
    main()
