"""Continual transfer on growing domains: tables 2, 3, 4 and 5 of the CTNet paper.

    python -m pipelines.continual --dataset synthetic
    python -m pipelines.continual --dataset kuairand --target-tab 4 --table 3 --seeds 1

The days are cut into periods. Every row of a table is trained period by period, and
each model is tested on the next period before it is trained on it. All rows are tested
on the same periods, those after the first transfer. On the periods before, the row
Base chooses the learning rate for all rows. The report also says whether the four
shapes of the paper's results hold. If you stop it, the same command resumes where it
stopped. Two processes need two run directories.
"""

import argparse
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

from pipelines.continual import data as continual_data
from pipelines.continual.data import PeriodData
from pipelines.continual.experiment import Experiment, Settings
from pipelines.continual.report import figures, sections
from pipelines.continual.rows import ROWS, TABLES
from pipelines.harness.arguments import add_folders, add_numbers, parser
from pipelines.harness.extras import require
from pipelines.harness.period_options import add_options, as_json, settings_of, wanted
from pipelines.harness.periods import by_seed, of_configuration, run_rows
from pipelines.harness.results import ResultLines
from pipelines.harness.tables import show_report
from tf_ctr.continual import Report
from tf_ctr.errors import explain


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.continual", __doc__)
    add_folders(
        program,
        "the folder that holds kuairand-pure/",
        "where results, models and figures go; default: runs/continual/<dataset>",
    )
    names = continual_data.ROLES
    program.add_argument(
        "--dataset",
        choices=names,
        default="synthetic",
        help="the data set; default: synthetic",
    )
    add_options(program, ROWS, TABLES)
    tabs = [
        ("source_tab", 1, "tab of the source, for kuairand"),
        ("target_tab", 0, "tab of the target, for kuairand: 0, 4 or 6"),
    ]
    add_numbers(program, tabs, least=0)
    numbers = [
        ("period_days", 2, "days of a period"),
        ("start", 1, "period of the first transfer; earlier ones only train"),
        ("seeds", 3, "runs per row"),
        ("embedding_dim", 16, "width of the embeddings"),
        ("batch_size", 128, "examples per training step"),
        ("epochs", 1, "epochs of training on each period"),
    ]
    add_numbers(program, numbers)
    width = [("attention_units", 64, "width of the attention of the backbone taobao")]
    add_numbers(program, width, least=8)
    arguments = program.parse_args(argv)
    arguments.settings = settings_of(Settings, arguments)
    name = arguments.dataset
    if name == "kuairand":
        name += f"_{arguments.source_tab}_to_{arguments.target_tab}"
    default = pathlib.Path("runs", "continual", name)
    arguments.run_dir = arguments.run_dir or default
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing, and shows tables and figures."""
    arguments = parse(argv)
    require("matplotlib", "scipy")
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        run(arguments, lines)
    show(lines, arguments)


def run(arguments: argparse.Namespace, lines: ResultLines) -> None:
    """Runs every row with every seed, except those in `lines`."""
    load = functools.partial(
        continual_data.load,
        arguments.dataset,
        arguments.data_dir,
        arguments.source_tab,
        arguments.target_tab,
        arguments.period_days,
    )
    data, build = by_seed(load, Experiment)

    def start():
        check_start(arguments.start, len(data(0).target))
        print(describe(data(0)))
        return build, lambda found, _: {"periods": tested(found, arguments.start)}

    names = wanted(arguments, ROWS, TABLES)
    shared = {"configuration": configuration(arguments)}
    run_rows(names, ROWS, arguments, shared, lines, start)


def configuration(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns what the results of one table share."""
    return {
        "dataset": arguments.dataset,
        "tabs": [arguments.source_tab, arguments.target_tab],
        "period_days": arguments.period_days,
        **as_json(arguments.settings),
    }


def check_start(start: int, count: int) -> None:
    """Raises unless a period is trained on and another is tested after the start."""
    if start > count - 2:
        raise SystemExit(
            explain(
                f"--start of at most {count - 2}, as there are {count} periods",
                start,
                "start earlier, or pass a smaller --period-days",
            )
        )


def describe(data: PeriodData) -> str:
    """Returns the rows and the click rates of all periods, one line per period."""
    label = data.schemas["plain"].label
    lines = [f"{data.name}: rows and click rate of source and target"]
    for own, other in zip(data.target, data.source, strict=True):
        shown = [
            f"{len(frame):,} {frame[label].mean():.3f}"
            for frame in (other.read(), own.read())
        ]
        lines.append(f"  {own.number} ({own.label}): {shown[0]}, {shown[1]}")
    return "\n".join(lines)


def tested(found: Report, start: int) -> list[dict[str, Any]]:
    """Returns the tests after the first transfer, as JSON stores them."""
    return [
        {"number": record["number"], "name": record["name"], **record["test"]}
        for record in found.records
        if record["test"] and record["number"] > start
    ]


def show(lines: ResultLines, arguments: argparse.Namespace) -> None:
    """Prints the tables of this configuration, and writes them with the figures."""
    records = of_configuration(lines, configuration(arguments))
    titles = {name: row.title for name, row in ROWS.items()}
    tables = {name: TABLES[name] for name in arguments.table}
    show_report(sections(records, tables, titles), arguments.run_dir)
    written = figures(records, titles, arguments.run_dir / "figures")
    print(f"Figures: {', '.join(map(str, written)) or 'none yet'}")
    print(f"Watch: tensorboard --logdir {arguments.run_dir}")


if __name__ == "__main__":
    main()
