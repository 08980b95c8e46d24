"""What experiments over periods share: settings, options, the loop, the report."""

import dataclasses
import time

import tensorflow as tf

from pipelines import options
from pipelines.progress import Progress
from pipelines.results import ResultLines, provenance
from tf_ctr.backbones import BACKBONES
from tf_ctr.features.files import replacing
from tf_ctr.optimizers import SparseAdagrad, SparseAdam

OPTIMIZERS = {"adagrad": SparseAdagrad, "adam": SparseAdam}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Sizes and training, the same for all rows.

    Attributes:
        backbone: Name of the backbone.
        embedding_dim: Embedding dim D.
        hidden_units: Widths of the hidden layers.
        optimizer: Of `OPTIMIZERS`.
        learning_rate: Its learning rate.
        batch_size: Examples per step.
    """

    backbone: str
    embedding_dim: int
    hidden_units: tuple
    optimizer: str
    learning_rate: float
    batch_size: int

    def compile(self, model):
        """Compiles a model."""
        optimizer = OPTIMIZERS[self.optimizer](self.learning_rate)
        model.compile(optimizer, "binary_crossentropy")


def add_options(add, rows, tables):
    """Adds the options of tables, rows and models.

    Args:
        add: `add_argument` of a parser.
        rows: `{name: row}`.
        tables: `{name: names of its rows}`.
    """
    positive = options.number(int, 1)
    rate = options.number(float, 1e-12)
    add("--table", nargs="+", choices=tables, default=list(tables), help="default: all")
    names = f"only these rows, of {', '.join(rows)}"
    add("--rows", nargs="+", choices=rows, metavar="ROW", help=names)
    add("--report", action="store_true", help="print the tables of what is done")
    add("--backbone", choices=BACKBONES, default="dnn", help="default: dnn")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="default: adam")
    widths = "widths of the hidden layers; default: 128 64"
    units = {"type": positive, "nargs": "+", "default": [128, 64], "metavar": "N"}
    add("--hidden-units", help=widths, **units)
    add("--learning-rate", type=rate, default=1e-3, metavar="N", help="default: 0.001")


def add_count(add, name, least, default, text):
    """Adds the option of a whole number."""
    kind, flag = options.number(int, least), f"--{name.replace('_', '-')}"
    add(flag, type=kind, default=default, metavar="N", help=text)


def settings(kind, arguments):
    """Returns the settings of a class, from the command line's arguments."""
    names = [field.name for field in dataclasses.fields(kind)]
    given = {name: getattr(arguments, name) for name in names}
    return kind(**{**given, "hidden_units": tuple(given["hidden_units"])})


def wanted(arguments, rows, tables):
    """Returns the names of the rows to run, in order."""
    in_tables = {row for table in arguments.table for row in tables[table]}
    chosen = in_tables if arguments.rows is None else set(arguments.rows)
    return [name for name in rows if name in chosen]


def as_json(settings):
    """Returns settings as JSON has them."""
    return {
        **dataclasses.asdict(settings),
        "hidden_units": list(settings.hidden_units),
    }


def carry_out(arguments, run, show):
    """Runs what is not done yet, unless only a report is asked for, and shows it.

    Args:
        arguments: The command line's arguments.
        run: A function of the arguments and the `ResultLines`.
        show: A function of the `ResultLines` and the arguments.
    """
    tf.get_logger().setLevel("ERROR")  # A model per period is traced anew, as it must.
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        run(arguments, lines)
    show(lines, arguments)


def run_rows(names, rows, arguments, shared, lines, start):
    """Runs every row with every seed, but for what `lines` has already.

    Args:
        names: Names of the rows to run.
        rows: `{name: row}`; a row has a `title`, and `run(experiment)`.
        arguments: The command line's arguments.
        shared: What all results of these arguments have in common.
        lines: The `ResultLines`.
        start: A function without arguments, called if anything is left to do, that
            returns two: one from a folder and a seed to an experiment, one from what
            a row returns to its results.
    """
    todo = [(seed, name) for seed in range(arguments.seeds) for name in names]
    done = [(s, name) for s, name in todo if lines.has(seed=s, row=name, **shared)]
    if len(done) == len(todo):
        return
    build, measure = start()
    progress = Progress(len(todo), len(done))
    for seed, name in todo:
        if (seed, name) in done:
            continue
        experiment = build(arguments.run_dir / f"seed_{seed}", seed)
        began = time.perf_counter()
        results = measure(rows[name].run(experiment))
        seconds = time.perf_counter() - began
        record = {"row": name, "seed": seed, **shared, "seconds": seconds}
        lines.append({**record, **results, **provenance()})
        experiment.slim(name)
        progress.step(f"{rows[name].title}, seed {seed}")


def write_report(report, records, rows, tables, arguments):
    """Prints the tables, and writes them.

    Args:
        report: A function of the records, the wanted tables and the rows' titles.
        records: The records of one configuration.
        rows: `{name: row}`.
        tables: `{name: names of its rows}`.
        arguments: The command line's arguments.
    """
    titles = {name: row.title for name, row in rows.items()}
    text = report(records, {name: tables[name] for name in arguments.table}, titles)
    print(f"\n{text}\n")
    with replacing(arguments.run_dir / "report.md") as partial:
        partial.write_text(text + "\n")


def of_configuration(lines, configuration):
    """Returns the records of one configuration."""
    return [r for r in lines.records if r["configuration"] == configuration]
