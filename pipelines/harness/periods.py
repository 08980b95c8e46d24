"""What experiments over periods share: the loop over rows and seeds, the report."""

import dataclasses
import functools
import json
import math
import time
import zlib

from pipelines.harness.results import Progress, ResultLines, provenance
from tf_ctr.errors import explain
from tf_ctr.files import replacing

SOURCE, TARGET = "source", "target"

DOMAIN = "domain"


def wanted(arguments, rows, tables):
    """Returns the names of the rows to run, in order."""
    in_tables = {row for table in arguments.table for row in tables[table]}
    chosen = in_tables if arguments.rows is None else set(arguments.rows)
    return [name for name in rows if name in chosen]


def carry_out(arguments, run, show):
    """Runs what is not done yet, unless only a report is asked for, and shows it.

    Args:
        arguments: The command line's arguments.
        run: A function of the arguments and the `ResultLines`.
        show: A function of the `ResultLines` and the arguments.
    """
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        run(arguments, lines)
    show(lines, arguments)


def by_seed(load, experiment):
    """Returns the data of a seed, and experiments on it, as two functions.

    Args:
        load: From a seed to the data; that of the last seed asked for is kept.
        experiment: From data, settings, a folder and a seed to an experiment.

    Returns:
        `data(seed)` and `build(settings, folder, seed)`.
    """
    data = functools.lru_cache(maxsize=1)(load)

    def build(settings, folder, seed):
        return experiment(data(seed), settings, folder, seed)

    return data, build


def run_rows(names, rows, arguments, shared, lines, start):
    """Runs every row with every seed, but for what `lines` has already.

    Args:
        names: Names of the rows to run.
        rows: `{name: row}`; a row has a `title`, and `run(experiment)`.
        arguments: The command line's arguments.
        shared: What all results of these arguments have in common.
        lines: The `ResultLines`.
        start: A function without arguments, called if anything is left to do, that
            returns two: one from settings, a folder and a seed to an experiment, one
            from what a row returns, and its experiment, to its results.

    Raises:
        SystemExit: If the data is not there or not as it should be.
    """
    todo = [(seed, name) for seed in range(arguments.seeds) for name in names]
    done = [(s, name) for s, name in todo if lines.has(seed=s, row=name, **shared)]
    if len(done) == len(todo):
        return
    try:
        build, measure = start()
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(str(error)) from error
    folder = models_folder(arguments.run_dir, shared)
    settings = choose_rate(arguments.settings, folder / "learning_rates", build)
    progress = Progress(len(todo), len(done))
    for seed, name in todo:
        if (seed, name) in done:
            continue
        experiment = build(settings, folder / f"seed_{seed}", seed)
        began = time.perf_counter()
        results = measure(rows[name].run(experiment), experiment)
        seconds = time.perf_counter() - began
        record = {"row": name, "seed": seed, **shared, "seconds": seconds}
        record["learning_rate"] = settings.learning_rates[0]
        lines.append({**record, **results, **provenance()})
        experiment.slim(name)
        progress.step(f"{rows[name].title}, seed {seed}")


def models_folder(run_dir, shared):
    """Returns the folder of a configuration: no other goes on with its models."""
    return run_dir / f"{zlib.crc32(json.dumps(shared).encode()):08x}"


def choose_rate(settings, folder, build):
    """Returns the settings with the one learning rate that is best on validation rows.

    Args:
        settings: The `ModelSettings`.
        folder: Where the candidates are trained.
        build: As of `run_rows`; an experiment has a `validation_auc()`.
    """
    if len(settings.learning_rates) == 1:
        return settings
    aucs = {}
    for rate in settings.learning_rates:
        one = dataclasses.replace(settings, learning_rates=(rate,))
        aucs[rate] = build(one, folder / f"{rate:g}", seed=0).validation_auc()
        if aucs[rate] is None or math.isnan(aucs[rate]):
            raise SystemExit(
                explain(
                    "clicks and others before the start, to choose a learning rate by",
                    "too few rows there",
                    "start later, or give one of --learning-rates",
                )
            )
        print(f"learning rate {rate:g}: validation AUC {aucs[rate]:.4f}", flush=True)
    return dataclasses.replace(settings, learning_rates=(max(aucs, key=aucs.get),))


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


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        title: Its name in the paper.
        run: From an `Experiment` to a `Report`.
    """

    title: str
    run: callable
