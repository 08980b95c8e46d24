"""Continual transfer on growing domains: tables 2, 3, 4 and 5 of the CTNet paper.

    python -m pipelines.continual --dataset synthetic
    python -m pipelines.continual --dataset kuairand --target-tab 4 --table 3 --seeds 1

The days are cut into periods. Every row is trained period by period and tested on the
next one, always before it is trained on it; all rows of a table are tested on the same
periods, those after the first transfer. Killed at any moment, the same command goes
on; `--report` only prints what is done. With the tables comes a verdict on the four
shapes of the paper's results.
"""

import dataclasses
import pathlib
import time

import tensorflow as tf

from pipelines import continual_data, options
from pipelines.continual_experiment import OPTIMIZERS, Experiment, Settings
from pipelines.continual_report import figures, report
from pipelines.continual_rows import ROWS, TABLES
from pipelines.progress import Progress
from pipelines.results import ResultLines, provenance
from tf_ctr.backbones import BACKBONES
from tf_ctr.errors import explain
from tf_ctr.features.files import replacing

# Name: default, least, description.
COUNTS = {
    "source_tab": (1, 0, "tab of the source, of kuairand"),
    "target_tab": (0, 0, "tab of the target, of kuairand: 0, 4 or 6"),
    "period_days": (2, 1, "days of a period"),
    "start": (1, 1, "period of the first transfer; earlier ones train the base"),
    "seeds": (3, 1, "runs of a row"),
    "embedding_dim": (16, 1, "embedding dim"),
    "attention_units": (64, 8, "width of the attentions of taobao"),
    "batch_size": (256, 1, "examples in a step"),
    "epochs": (1, 1, "passes over an increment"),
}


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = options.program(
        "pipelines.continual",
        __doc__,
        "folder that holds kuairand-pure/",
        RUN_DIR_HELP,
    )
    add = parser.add_argument
    datasets = continual_data.DATASETS
    add("--dataset", choices=datasets, default="synthetic", help="default: synthetic")
    add(
        "--table",
        nargs="+",
        choices=TABLES,
        default=list(TABLES),
        help="default: all",
    )
    add(
        "--rows",
        nargs="+",
        choices=ROWS,
        metavar="ROW",
        help=f"only these rows, of {', '.join(ROWS)}",
    )
    add("--report", action="store_true", help="print the tables of what is done")
    add("--backbone", choices=BACKBONES, default="dnn", help="default: dnn")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="default: adam")
    add(
        "--hidden-units",
        type=options.number(int, 1),
        nargs="+",
        default=[128, 64],
        metavar="N",
        help="widths of the hidden layers; default: 128 64",
    )
    add(
        "--learning-rate",
        type=options.number(float, 1e-12),
        default=1e-3,
        metavar="N",
        help="default: 0.001",
    )
    for name, (default, least, text) in COUNTS.items():
        add(
            f"--{name.replace('_', '-')}",
            type=options.number(int, least),
            default=default,
            metavar="N",
            help=f"{text}; default: {default}",
        )
    arguments = parser.parse_args(argv)
    names = [field.name for field in dataclasses.fields(Settings)]
    given = {name: getattr(arguments, name) for name in names}
    given["hidden_units"] = tuple(given["hidden_units"])
    arguments.settings = Settings(**given)
    name = arguments.dataset
    if name == "kuairand":
        name += f"_{arguments.source_tab}_to_{arguments.target_tab}"
    default = pathlib.Path("runs", "continual", name)
    arguments.run_dir = arguments.run_dir or default
    return arguments


RUN_DIR_HELP = "results, models and figures; default: runs/continual/<dataset>"


def wanted(arguments):
    """Returns the names of the rows to run, in the paper's order."""
    in_tables = {row for table in arguments.table for row in TABLES[table]}
    chosen = in_tables if arguments.rows is None else set(arguments.rows)
    return [name for name in ROWS if name in chosen]


def configuration(arguments):
    """What the results of one table share."""
    return {
        "dataset": arguments.dataset,
        "tabs": [arguments.source_tab, arguments.target_tab],
        "period_days": arguments.period_days,
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
    data = continual_data.load(
        arguments.dataset,
        arguments.data_dir,
        arguments.source_tab,
        arguments.target_tab,
        arguments.period_days,
    )
    check_start(arguments.start, len(data.target))
    print(describe(data))
    progress = Progress(len(todo), len(done))
    for seed, name in todo:
        if (seed, name) in done:
            continue
        folder = arguments.run_dir / f"seed_{seed}"
        experiment = Experiment(data, arguments.settings, folder, seed)
        began = time.perf_counter()
        found = ROWS[name].run(experiment)
        lines.append(
            {
                "row": name,
                "seed": seed,
                **shared,
                "seconds": time.perf_counter() - began,
                "periods": tested(found, arguments.start),
                **provenance(),
            }
        )
        experiment.slim(name)
        progress.step(f"{ROWS[name].title}, seed {seed}")


def check_start(start, count):
    """Raises unless a period is trained on and another tested after the start."""
    if start > count - 2:
        raise SystemExit(
            explain(
                f"--start of at most {count - 2}, as there are {count} periods",
                start,
                "start earlier, or pass a smaller --period-days",
            )
        )


def tested(found, start):
    """Returns the tests after the first transfer, as JSON has them."""
    return [
        {"number": record["number"], "name": record["name"], **record["test"]}
        for record in found.records
        if record["test"] and record["number"] > start
    ]


def describe(data):
    """Returns the rows and the click rates of all periods."""
    label = data.schemas["plain"].label
    lines = [f"{data.name}: rows and click rate of source and target"]
    for own, other in zip(data.target, data.source, strict=True):
        shown = [
            f"{len(frame):,} {frame[label].mean():.3f}"
            for frame in (other.read(), own.read())
        ]
        lines.append(f"  {own.number} ({own.label}): {shown[0]}, {shown[1]}")
    return "\n".join(lines)


def show(lines, arguments):
    """Prints the tables of this configuration, and writes them with the figures."""
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
    written = figures(records, titles, arguments.run_dir / "figures")
    print(f"Figures: {', '.join(map(str, written)) or 'none yet'}")
    print(f"Watch: tensorboard --logdir {arguments.run_dir}")


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
