"""E-CDCTR: three levels trained asynchronously, and which of its parts pay.

    python -m pipelines.ecdctr --dataset synthetic
    python -m pipelines.ecdctr --dataset kuairand --pair 1_6 --table levels --seeds 1

Natural data and advertisements lie on one line of event time, in days; the months,
weeks and days of the paper are compressed. All rows are tested on the same
advertisements, each by the newest model trained before it. Killed at any moment, the
same command goes on; `--report` only prints what is done.
"""

import argparse
import dataclasses
import pathlib
import time

import tensorflow as tf

from pipelines import ecdctr_data, options
from pipelines.continual_experiment import OPTIMIZERS
from pipelines.ecdctr_experiment import Experiment, Settings
from pipelines.ecdctr_report import report
from pipelines.ecdctr_rows import ROWS, TABLES
from pipelines.ecdctr_scores import metrics, scores
from pipelines.ecdctr_sources import DATASETS
from pipelines.progress import Progress
from pipelines.results import ResultLines, provenance
from tf_ctr.backbones import BACKBONES
from tf_ctr.features.files import replacing

PAIRS = ("ads", "1_6", "1_4")
# Name: default, description.
COUNTS = {
    "seeds": (3, "runs of a row"),
    "embedding_dim": (16, "embedding dim of CPM and A-CTR"),
    "tpm_dim": (16, "embedding dim of TPM"),
    "tpm_units": (32, "width of its hidden layer"),
    "tpm_window": (6, "months that TPM is trained on"),
    "ad_window": (7, "newest periods of ads that a model is trained on"),
    "batch_size": (512, "examples in a step"),
}
CLOCKS = {
    "month_days": "days of a period of TPM",
    "week_days": "days of a period of CPM",
    "ad_days": "days of a period of A-CTR",
    "start": "first tested day",
}


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.ecdctr",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    names = DATASETS
    add("--dataset", choices=names, default="synthetic", help="default: synthetic")
    add("--pair", choices=PAIRS, default="ads", help=PAIR_HELP)
    add(
        "--data-dir",
        type=options.existing_folder,
        metavar="DIR",
        help="folder that holds kuairand-pure/; default: $TF_CTR_DATA, else TFDS",
    )
    add("--run-dir", type=options.new_folder, metavar="DIR", help=RUN_DIR_HELP)
    add("--table", nargs="+", choices=TABLES, default=list(TABLES), help="default: all")
    add("--rows", nargs="+", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    add("--report", action="store_true", help="print the tables of what is done")
    add("--backbone", choices=BACKBONES, default="dnn", help="default: dnn")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="default: adam")
    positive = options.number(int, 1)
    add("--hidden-units", type=positive, nargs="+", default=[128, 64], metavar="N")
    rate = options.number(float, 1e-12)
    add("--learning-rate", type=rate, default=1e-3, metavar="N", help="default: 0.001")
    for name, (default, text) in COUNTS.items():
        _add_count(add, name, positive, default, f"{text}; default: {default}")
    for name, text in CLOCKS.items():
        defaults = {each: getattr(names[each].clocks, name) for each in names}
        shown = ", ".join(f"{each} {value}" for each, value in defaults.items())
        _add_count(add, name, positive, None, f"{text} ({shown})")
    arguments = parser.parse_args(argv)
    return _completed(arguments)


def _add_count(add, name, kind, default, text):
    flag = f"--{name.replace('_', '-')}"
    add(flag, type=kind, default=default, metavar="N", help=text)


def _completed(arguments):
    given = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(Settings)}
    given["hidden_units"] = tuple(given["hidden_units"])
    arguments.settings = Settings(**given)
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


def wanted(arguments):
    """Returns the names of the rows to run, in order."""
    in_tables = {row for table in arguments.table for row in TABLES[table]}
    chosen = in_tables if arguments.rows is None else set(arguments.rows)
    return [name for name in ROWS if name in chosen]


def configuration(arguments):
    """What the results of one table share."""
    return {
        "dataset": arguments.dataset,
        "pair": arguments.pair if arguments.dataset == "kuairand" else None,
        **dataclasses.asdict(arguments.clocks),
        **dataclasses.asdict(arguments.settings),
        "hidden_units": list(arguments.settings.hidden_units),
    }


def run(arguments, lines):
    """Runs every row with every seed, but for what `lines` has already."""
    shared = {"configuration": configuration(arguments)}
    todo = [(s, name) for s in range(arguments.seeds) for name in wanted(arguments)]
    done = [(s, name) for s, name in todo if lines.has(seed=s, row=name, **shared)]
    if len(done) == len(todo):
        return
    data = ecdctr_data.load(
        arguments.dataset, arguments.data_dir, arguments.pair, arguments.clocks
    )
    print(data.sizes())
    progress = Progress(len(todo), len(done))
    for seed, name in todo:
        if (seed, name) in done:
            continue
        folder = arguments.run_dir / f"seed_{seed}"
        experiment = Experiment(data, arguments.settings, folder, seed)
        began = time.perf_counter()
        found = scores(ROWS[name].run(experiment), data)
        lines.append(
            {
                "row": name,
                "seed": seed,
                **shared,
                "sizes": data.sizes(),
                "seconds": time.perf_counter() - began,
                "metrics": metrics(found, data.month_days),
                **provenance(),
            }
        )
        experiment.slim(name)
        progress.step(f"{ROWS[name].title}, seed {seed}")


def show(lines, arguments):
    """Prints the tables of this configuration, and writes them."""
    records = [
        record
        for record in lines.records
        if record["configuration"] == configuration(arguments)
    ]
    titles = {name: row.title for name, row in ROWS.items()}
    tables = {table: TABLES[table] for table in arguments.table}
    text = report(records, tables, titles)
    print(f"\n{text}\n")
    with replacing(arguments.run_dir / "report.md") as partial:
        partial.write_text(text + "\n")


def main(argv=None):
    """Runs what is not done yet, and prints the tables."""
    arguments = parse(argv)
    tf.get_logger().setLevel("ERROR")  # A model per period is traced anew, as it must.
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        run(arguments, lines)
    show(lines, arguments)


if __name__ == "__main__":
    main()
