"""E-CDCTR: three levels trained asynchronously, and which of its parts pay.

    python -m pipelines.ecdctr --dataset synthetic
    python -m pipelines.ecdctr --dataset kuairand --pair 1_6 --table levels --seeds 1

Natural data and advertisements lie on one line of event time, in days; the months,
weeks and days of the paper are compressed. All rows are tested on the same
advertisements, each by the newest model trained before it; on those before the start
CPM chooses the learning rate of all, on natural data. Killed at any moment, the same
command goes on; `--report` only prints what is done. Two processes need two run dirs.
"""

import dataclasses
import functools
import pathlib

from pipelines.ecdctr import data as ecdctr_data
from pipelines.ecdctr.experiment import Experiment, Settings
from pipelines.ecdctr.report import part_intervals, report
from pipelines.ecdctr.rows import ROWS, TABLES
from pipelines.ecdctr.scores import keep, metrics, scores
from pipelines.ecdctr.sources import DATASETS
from pipelines.harness import options
from pipelines.harness import periods as period_rows

PAIRS = ("ads", "1_6", "1_4")
# Name: default, description.
COUNTS = {
    "seeds": (3, "runs of a row"),
    "embedding_dim": (16, "embedding dim of CPM and A-CTR"),
    "tpm_dim": (16, "embedding dim of TPM"),
    "tpm_units": (32, "width of its hidden layer"),
    "tpm_window": (6, "months that TPM is trained on"),
    "ad_window": (7, "newest periods of ads that a model is trained on"),
    "batch_size": (128, "examples in a step"),
}
CLOCKS = {
    "month_days": "days of a period of TPM",
    "week_days": "days of a period of CPM",
    "ad_days": "days of a period of A-CTR",
    "start": "first tested day",
}


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = options.program(
        "pipelines.ecdctr",
        __doc__,
        "folder that holds kuairand-pure/",
        RUN_DIR_HELP,
    )
    add = parser.add_argument
    names = DATASETS
    add("--dataset", choices=names, default="synthetic", help="default: synthetic")
    add("--pair", choices=PAIRS, default="ads", help=PAIR_HELP)
    options.add_options(add, ROWS, TABLES)
    for name, (default, text) in COUNTS.items():
        options.add_count(add, name, 1, default, f"{text}; default: {default}")
    for name, text in CLOCKS.items():
        defaults = {each: getattr(names[each].clocks, name) for each in names}
        shown = ", ".join(f"{each} {value}" for each, value in defaults.items())
        options.add_count(add, name, 1, None, f"{text} ({shown})")
    arguments = parser.parse_args(argv)
    return _completed(arguments)


def _completed(arguments):
    arguments.settings = options.settings_of(Settings, arguments)
    clocks = {name: getattr(arguments, name) for name in CLOCKS}
    clocks = {name: value for name, value in clocks.items() if value is not None}
    known = DATASETS[arguments.dataset].clocks
    arguments.clocks = dataclasses.replace(known, **clocks)
    name = arguments.dataset
    name += f"_{arguments.pair}" if name == "kuairand" else ""
    arguments.run_dir = arguments.run_dir or pathlib.Path("runs", "ecdctr", name)
    return arguments


PAIR_HELP = (
    "of kuairand: ads for NORMAL and AD videos; 1_6 for tab 1 as natural data and tab "
    "6 as a larger stand-in for ads; 1_4 likewise; default: ads"
)
RUN_DIR_HELP = "results and models; default: runs/ecdctr/<dataset>"


def configuration(arguments):
    """What the results of one table share."""
    return {
        "dataset": arguments.dataset,
        "pair": arguments.pair if arguments.dataset == "kuairand" else None,
        **dataclasses.asdict(arguments.clocks),
        **options.as_json(arguments.settings),
    }


def run(arguments, lines):
    """Runs every row with every seed, but for what `lines` has already."""

    load = functools.partial(
        ecdctr_data.load,
        arguments.dataset,
        arguments.data_dir,
        arguments.pair,
        arguments.clocks,
    )
    data, build = period_rows.by_seed(load, Experiment)

    def measure(found, experiment):
        own = experiment.data
        tested = scores(found, own)
        keep(tested, score_file(arguments, experiment.seed, found.name))
        return {"sizes": own.sizes(), "metrics": metrics(tested, own.month_days)}

    def start():
        print(data(0).sizes())
        return build, measure

    names = period_rows.wanted(arguments, ROWS, TABLES)
    shared = {"configuration": configuration(arguments)}
    period_rows.run_rows(names, ROWS, arguments, shared, lines, start)


def score_file(arguments, seed, row):
    """Returns where the scores of a row are kept."""
    shared = {"configuration": configuration(arguments)}
    folder = period_rows.models_folder(arguments.run_dir, shared)
    return folder / f"seed_{seed}" / "scores" / f"{row}.parquet"


def show(lines, arguments):
    """Prints the tables of this configuration, and writes them."""
    records = period_rows.of_configuration(lines, configuration(arguments))
    files = functools.partial(score_file, arguments)
    found = part_intervals(records, files, arguments.clocks.month_days)
    write = functools.partial(report, intervals=found)
    period_rows.write_report(write, records, ROWS, TABLES, arguments)


def main(argv=None):
    """Runs what is not done yet, and prints the tables."""
    period_rows.carry_out(parse(argv), run, show)


if __name__ == "__main__":
    main()
