"""E-CDCTR: three levels trained asynchronously, and which of its parts pay.

    python -m pipelines.ecdctr --dataset synthetic
    python -m pipelines.ecdctr --dataset kuairand --pair 1_6 --table levels --seeds 1

Natural data and advertisements lie on one time line, in days; the months, weeks and
days of the paper are compressed. TPM learns from months of natural data, CPM from
weeks of it, A-CTR from days of advertisements. All rows of the tables are tested on
the same advertisements, each scored by the newest model trained before it. On earlier
days CPM chooses the learning rate of all rows, on natural data. If you stop it, the
same command resumes where it stopped. Two processes need two run directories.
"""

import argparse
import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

from pipelines.ecdctr import data as ecdctr_data
from pipelines.ecdctr.experiment import Experiment, Settings
from pipelines.ecdctr.report import sections
from pipelines.ecdctr.rows import ROWS, TABLES
from pipelines.ecdctr.scores import keep, metrics, scores
from pipelines.ecdctr.sources import SOURCES
from pipelines.ecdctr.verdict import part_intervals
from pipelines.harness.arguments import add_folders, add_numbers, parser
from pipelines.harness.extras import require
from pipelines.harness.period_options import add_options, as_json, settings_of, wanted
from pipelines.harness.periods import by_seed, models_folder, of_configuration, run_rows
from pipelines.harness.results import ResultLines
from pipelines.harness.tables import show_report

PAIRS = ("ads", "1_6", "1_4")
PAIR_HELP = (
    "for kuairand: ads for NORMAL and AD videos; 1_6 for tab 1 as natural data and tab "
    "6 as a larger stand-in for ads; 1_4 for tabs 1 and 4; default: ads"
)
CLOCKS = {
    "month_days": "days of a period of TPM",
    "week_days": "days of a period of CPM",
    "ad_days": "days of a period of A-CTR",
    "start": "first tested day",
}


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.ecdctr", __doc__)
    add_folders(
        program,
        "the folder that holds kuairand-pure/",
        "where results and models go; default: runs/ecdctr/<dataset>",
    )
    add = program.add_argument
    add(
        "--dataset",
        choices=SOURCES,
        default="synthetic",
        help="the data set; default: synthetic",
    )
    add("--pair", choices=PAIRS, default="ads", help=PAIR_HELP)
    add_options(program, ROWS, TABLES)
    numbers = [
        ("seeds", 3, "runs per row"),
        ("embedding_dim", 16, "width of the embeddings of CPM and A-CTR"),
        ("tpm_dim", 16, "width of the embeddings of TPM"),
        ("tpm_units", 32, "width of TPM's hidden layer"),
        ("tpm_window", 6, "newest months that TPM is trained on"),
        ("ad_window", 7, "newest periods of ads that a restarted A-CTR is trained on"),
        ("batch_size", 128, "examples per training step"),
    ]
    add_numbers(program, numbers)
    for name, text in CLOCKS.items():
        defaults = {each: getattr(SOURCES[each].clocks, name) for each in SOURCES}
        shown = ", ".join(f"{each} {value}" for each, value in defaults.items())
        add_numbers(program, [(name, None, f"{text}; default: {shown}")])
    arguments = program.parse_args(argv)
    arguments.settings = settings_of(Settings, arguments)
    given = {name: getattr(arguments, name) for name in CLOCKS}
    given = {name: value for name, value in given.items() if value is not None}
    known = SOURCES[arguments.dataset].clocks
    arguments.clocks = dataclasses.replace(known, **given)
    name = arguments.dataset
    name += f"_{arguments.pair}" if name == "kuairand" else ""
    arguments.run_dir = arguments.run_dir or pathlib.Path("runs", "ecdctr", name)
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing, and shows the tables."""
    arguments = parse(argv)
    require("scipy")
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        run(arguments, lines)
    show(lines, arguments)


def run(arguments: argparse.Namespace, lines: ResultLines) -> None:
    """Runs every row with every seed, except those in `lines`."""
    load = functools.partial(
        ecdctr_data.load,
        arguments.dataset,
        arguments.data_dir,
        arguments.pair,
        arguments.clocks,
    )
    data, build = by_seed(load, Experiment)

    def measure(folder, experiment):
        own = experiment.data
        tested = scores(folder, own)
        keep(tested, score_file(arguments, experiment.seed, folder.name))
        return {"sizes": own.sizes(), "metrics": metrics(tested, own.month_days)}

    def start():
        print(data(0).sizes())
        return build, measure

    names = wanted(arguments, ROWS, TABLES)
    shared = {"configuration": configuration(arguments)}
    run_rows(names, ROWS, arguments, shared, lines, start)


def configuration(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns what the results of one table share."""
    return {
        "dataset": arguments.dataset,
        "pair": arguments.pair if arguments.dataset == "kuairand" else None,
        **dataclasses.asdict(arguments.clocks),
        **as_json(arguments.settings),
    }


def score_file(arguments: argparse.Namespace, seed: int, row: str) -> pathlib.Path:
    """Returns the file of a row's scores."""
    shared = {"configuration": configuration(arguments)}
    folder = models_folder(arguments.run_dir, shared)
    return folder / f"seed_{seed}" / "scores" / f"{row}.parquet"


def show(lines: ResultLines, arguments: argparse.Namespace) -> None:
    """Prints the tables of this configuration, and writes them."""
    records = of_configuration(lines, configuration(arguments))
    files = functools.partial(score_file, arguments)
    intervals = part_intervals(records, files, arguments.clocks.month_days)
    titles = {name: row.title for name, row in ROWS.items()}
    tables = {name: TABLES[name] for name in arguments.table}
    show_report(sections(records, tables, titles, intervals), arguments.run_dir)


if __name__ == "__main__":
    main()
