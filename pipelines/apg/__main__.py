"""Backbones with and without APG on MovieLens-1M: tables 2, 4 and 6 of its paper.

    python -m pipelines.apg --data-dir ../shared/data

Every row of every table may try the same number of settings with the first seed, and
the validation AUC chooses among them; the other seeds use the chosen setting. The test
rows are scored once per run. If you stop it, the same command resumes where it stopped.
"""

import argparse
import dataclasses
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import keras

from pipelines.apg.report import sections
from pipelines.apg.rows import SETTINGS, TABLES, Row
from pipelines.harness import options
from pipelines.harness.arguments import add_folders, add_numbers, parser
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.scoring import auc_by_frequency
from pipelines.harness.tables import show_report
from pipelines.harness.trials import candidates, tune
from tf_ctr import evaluation, inference
from tf_ctr.datasets import Splits, movielens
from tf_ctr.errors import unknown_name
from tf_ctr.features import Schema
from tf_ctr.metrics import exact_auc, exact_gauc, log_loss

# How the names of hidden layers begin: those of the backbones, of STAR, and of MMoE.
HIDDEN = ("deep_", "star_", "expert_", "gate", "tower_")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.apg", __doc__)
    add_folders(
        program,
        "the folder that holds ml-1m/",
        "where results, logs and models go; default: runs/apg",
    )
    add = program.add_argument
    add(
        "--tables",
        nargs="+",
        choices=TABLES,
        default=list(TABLES),
        metavar="TABLE",
        help=f"the tables to fill, from {', '.join(TABLES)}; default: all",
    )
    add("--rows", nargs="+", metavar="ROW", help="run only the rows with these names")
    add_numbers(
        program,
        [
            ("seeds", 3, "runs per row"),
            ("budget", 2, "settings that every row may try with the first seed"),
        ],
    )
    add("--report", action="store_true", help="only print the tables of finished runs")
    options.add_settings(program, {"movielens": SETTINGS})
    arguments = program.parse_args(argv)
    arguments.run_dir = arguments.run_dir or pathlib.Path("runs", "apg")
    arguments.settings = options.settings(arguments, SETTINGS)
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the missing rows, and shows the tables."""
    arguments = parse(argv)
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    tables = {name: TABLES[name]() for name in arguments.tables}
    if not arguments.report:
        rows = {row.name: row for table in tables.values() for row in table}
        for name in arguments.rows or ():
            if name not in rows:
                raise SystemExit(unknown_name("row", name, rows))
        chosen = [rows[name] for name in arguments.rows or rows]
        run(chosen, Data(arguments.data_dir), lines, arguments)
    names = {name: [row.name for row in table] for name, table in tables.items()}
    show_report(sections(lines.frame(), names), arguments.run_dir)


class Data:
    """The data, with or without `genre_string`, loaded on first use.

    Args:
        data_dir: The folder that holds `ml-1m/`.
    """

    def __init__(self, data_dir: pathlib.Path | None) -> None:
        self._data_dir = data_dir
        self._loaded: dict[str, tuple[Splits, Schema]] = {}

    def get(self, schema: str) -> tuple[Splits, Schema]:
        """Returns `Splits` and the schema of a name."""
        if schema not in self._loaded:
            wanted = schema == "genre_string"
            self._loaded[schema] = movielens.load_whole(self._data_dir, wanted)
        return self._loaded[schema]


def run(
    rows: Sequence[Row], data: Data, lines: ResultLines, arguments: argparse.Namespace
) -> None:
    """Trains every row with every seed, except those in `lines`."""
    for row in rows:
        lines.require({"row": row.name}, _made_with(row, arguments))
    todo = [(row, seed) for row in rows for seed in range(arguments.seeds)]
    done = [pair for pair in todo if lines.has(row=pair[0].name, seed=pair[1])]
    progress = Progress(len(todo), len(done))
    for row, seed in todo:
        if (row, seed) in done:
            continue
        record = run_one(row, seed, data, lines, arguments)
        lines.append(record)
        progress.step(
            f"{row.name}, seed {seed}: validation {record['validation_auc']:.4f}"
        )


def run_one(
    row: Row, seed: int, data: Data, lines: ResultLines, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Trains one row with one seed, tests it, and returns its record."""
    splits, schema = data.get(row.schema)
    trials = candidates(_settings(row, arguments), row.space, arguments.budget)
    if seed:
        # The other seeds use the setting that the first one chose.
        first = {"row": row.name, "seed": 0}
        (chosen,) = (r for r in lines.records if first.items() <= r.items())
        trials = [trials[chosen["trial"]]]

    def build(settings, **own):
        return row.build(schema, settings, **own)

    run_dir = arguments.run_dir / f"seed_{seed}" / re.sub(r"\W+", "_", row.name)
    model, record = tune(build, splits, schema, trials, seed, run_dir)
    served = inference.collapse(model)
    return {
        "row": row.name,
        **record,
        "served_parameters": served.count_params(),
        "hidden_parameters": _hidden_parameters(served),
        **_made_with(row, arguments),
        **test(model, splits, schema),
        **provenance(),
    }


def _settings(row, arguments):
    return dataclasses.replace(arguments.settings, **row.settings)


def _made_with(row, arguments):
    settings = dataclasses.asdict(_settings(row, arguments))
    return {"budget": arguments.budget, "settings": settings}


def _hidden_parameters(model):
    hidden = (layer for layer in model.layers if layer.name.startswith(HIDDEN))
    return sum(layer.count_params() for layer in hidden)


def test(model: keras.Model, splits: Splits, schema: Schema) -> dict[str, Any]:
    """Returns the metrics on the test rows, and the AUC by frequency of the user."""
    labels, users = schema.labels(splits.test), schema.groups(splits.test)
    scores = evaluation.predict(model, splits.test, schema)
    groups = auc_by_frequency(labels, scores, users, schema.groups(splits.train))
    return {
        "auc": exact_auc(labels, scores),
        "log_loss": log_loss(labels, scores),
        "gauc": exact_gauc(labels, scores, users).gauc,
        "user_groups": groups.reset_index().to_dict("list"),
    }


if __name__ == "__main__":
    main()
