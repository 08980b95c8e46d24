"""Backbones with and without APG on MovieLens-1M: tables 2, 4 and 6 of its paper.

    python -m pipelines.apg --data-dir ../shared/data

Every row of every table may try the same number of settings with the first seed,
chosen by validation AUC; the other seeds follow. The test rows are scored once per
run. Killed at any moment, the same command goes on; `--report` only prints.
"""

import dataclasses
import pathlib
import re

from pipelines.apg import rows as apg_rows
from pipelines.apg.report import report
from pipelines.harness import options
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.runs import Settings
from pipelines.harness.scoring import auc_by_frequency
from pipelines.harness.trials import candidates, tune
from tf_ctr import evaluation, inference
from tf_ctr.datasets import movielens
from tf_ctr.errors import unknown_name
from tf_ctr.metrics import exact_auc, exact_gauc, log_loss

SETTINGS = Settings(
    embedding_dim=16,
    hidden_units=(256, 128, 64),
    num_cross_layers=3,
    batch_size=8192,
    epochs=15,
    patience=2,
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
    learning_rates=(4e-3,),
)
# Starts of the names of hidden layers: of the backbones, of STAR, of MMoE.
HIDDEN = ("deep_", "star_", "expert_", "gate", "tower_")
TABLES = {
    "backbones": apg_rows.backbone_rows,
    "controls": apg_rows.control_rows,
    "versions": apg_rows.version_rows,
    "starts": apg_rows.start_rows,
    "coarse": apg_rows.coarse_rows,
}


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = options.program(
        "pipelines.apg",
        __doc__,
        "folder that holds ml-1m/",
        "results, logs and models; default: runs/apg",
    )
    add = parser.add_argument
    add(
        "--tables",
        nargs="+",
        choices=TABLES,
        default=list(TABLES),
        metavar="TABLE",
        help=f"of {', '.join(TABLES)}; default: all",
    )
    add("--rows", nargs="+", metavar="ROW", help="names of rows; default: all")
    add(
        "--seeds",
        type=options.number(int, 1),
        default=3,
        metavar="N",
        help="runs of a row; default: 3",
    )
    add(
        "--budget",
        type=options.number(int, 1),
        default=2,
        metavar="N",
        help="settings that a row may try; default: 2",
    )
    add("--report", action="store_true", help="print the tables of what is done")
    options.add_settings(parser, {"movielens": SETTINGS})
    arguments = parser.parse_args(argv)
    arguments.run_dir = arguments.run_dir or pathlib.Path("runs", "apg")
    arguments.settings = options.settings(arguments, SETTINGS)
    return arguments


def main(argv=None):
    """Runs what is not done yet, and prints the tables."""
    arguments = parse(argv)
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        rows = {row.name: row for t in arguments.tables for row in TABLES[t]()}
        chosen = _named(rows, arguments.rows)
        run(chosen, Data(arguments.data_dir), lines, arguments)
    tables = {t: [row.name for row in TABLES[t]()] for t in arguments.tables}
    print(report(lines.frame(), tables))


def _named(rows, names):
    """Returns the rows of these names, all for none."""
    for name in names or ():
        if name not in rows:
            raise SystemExit(unknown_name("row", name, rows))
    return [row for name, row in rows.items() if not names or name in names]


class Data:
    """The data, loaded when first asked for, with or without `genre_string`."""

    def __init__(self, data_dir):
        self._data_dir, self._loaded = data_dir, {}

    def get(self, schema):
        """Returns `Splits` and the schema of that name."""
        if schema not in self._loaded:
            wanted = schema == "genre_string"
            self._loaded[schema] = movielens.load_whole(self._data_dir, wanted)
        return self._loaded[schema]


def run(rows, data, lines, arguments):
    """Trains every row with every seed, but for what `lines` has already."""
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


def run_one(row, seed, data, lines, arguments):
    """Trains one row with one seed, tests it, and returns its record."""
    splits, schema = data.get(row.schema)
    trials = candidates(_settings(row, arguments), row.space, arguments.budget)
    if seed:
        trials = [trials[_chosen(lines, row)]]

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


def _chosen(lines, row):
    """The trial that the first seed found best."""
    (record,) = (r for r in lines.records if r["row"] == row.name and r["seed"] == 0)
    return record["trial"]


def _hidden_parameters(model):
    hidden = (la for la in model.layers if la.name.startswith(HIDDEN))
    return sum(layer.count_params() for layer in hidden)


def test(model, splits, schema):
    """Returns the metrics on the test rows, also by how often the user was seen."""
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
