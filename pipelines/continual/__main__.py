"""Continual transfer on growing domains: tables 2, 3, 4 and 5 of the CTNet paper.

    python -m pipelines.continual --dataset synthetic
    python -m pipelines.continual --dataset kuairand --target-tab 4 --table 3 --seeds 1

The days are cut into periods. Every row is trained period by period and tested on the
next one, always before it is trained on it; all rows of a table are tested on the same
periods, those after the first transfer; on the ones before, Base chooses the learning
rate of all rows. Killed at any moment, the same command goes on; `--report` only prints
what is done. Two processes need two run dirs. With the tables comes a verdict on the
four shapes of the paper's results.
"""

import functools
import pathlib

from pipelines.continual import data as continual_data
from pipelines.continual.experiment import Experiment, Settings
from pipelines.continual.report import figures, report
from pipelines.continual.rows import ROWS, TABLES
from pipelines.harness import options
from pipelines.harness import periods as period_rows
from tf_ctr.errors import explain

# Name: default, least, description.
COUNTS = {
    "source_tab": (1, 0, "tab of the source, of kuairand"),
    "target_tab": (0, 0, "tab of the target, of kuairand: 0, 4 or 6"),
    "period_days": (2, 1, "days of a period"),
    "start": (1, 1, "period of the first transfer; earlier ones train the base"),
    "seeds": (3, 1, "runs of a row"),
    "embedding_dim": (16, 1, "embedding dim"),
    "attention_units": (64, 8, "width of the attentions of taobao"),
    "batch_size": (128, 1, "examples in a step"),
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
    options.add_options(add, ROWS, TABLES)
    for name, (default, least, text) in COUNTS.items():
        options.add_count(add, name, least, default, f"{text}; default: {default}")
    arguments = parser.parse_args(argv)
    arguments.settings = options.settings_of(Settings, arguments)
    name = arguments.dataset
    if name == "kuairand":
        name += f"_{arguments.source_tab}_to_{arguments.target_tab}"
    default = pathlib.Path("runs", "continual", name)
    arguments.run_dir = arguments.run_dir or default
    return arguments


RUN_DIR_HELP = "results, models and figures; default: runs/continual/<dataset>"


def configuration(arguments):
    """What the results of one table share."""
    return {
        "dataset": arguments.dataset,
        "tabs": [arguments.source_tab, arguments.target_tab],
        "period_days": arguments.period_days,
        **options.as_json(arguments.settings),
    }


def run(arguments, lines):
    """Runs every row with every seed, but for what `lines` has already."""

    load = functools.partial(
        continual_data.load,
        arguments.dataset,
        arguments.data_dir,
        arguments.source_tab,
        arguments.target_tab,
        arguments.period_days,
    )
    data, build = period_rows.by_seed(load, Experiment)

    def start():
        check_start(arguments.start, len(data(0).target))
        print(describe(data(0)))
        return build, lambda found, _: {"periods": tested(found, arguments.start)}

    names = period_rows.wanted(arguments, ROWS, TABLES)
    shared = {"configuration": configuration(arguments)}
    period_rows.run_rows(names, ROWS, arguments, shared, lines, start)


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
    records = period_rows.of_configuration(lines, configuration(arguments))
    period_rows.write_report(report, records, ROWS, TABLES, arguments)
    titles = {name: row.title for name, row in ROWS.items()}
    written = figures(records, titles, arguments.run_dir / "figures")
    print(f"Figures: {', '.join(map(str, written)) or 'none yet'}")
    print(f"Watch: tensorboard --logdir {arguments.run_dir}")


def main(argv=None):
    """Runs what is not done yet, and prints the tables."""
    period_rows.carry_out(parse(argv), run, show)


if __name__ == "__main__":
    main()
