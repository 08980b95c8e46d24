"""The loop that experiments over periods share: every row, with every seed."""

import argparse
import dataclasses
import functools
import json
import math
import pathlib
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pipelines.harness.period_options import ModelSettings
from pipelines.harness.results import Progress, ResultLines, provenance
from tf_ctr.errors import explain

SOURCE, TARGET = "source", "target"
# The column, and the field of joint models, that names the domain of a row.
DOMAIN = "domain"


class PeriodExperiment(Protocol):
    """The rows of one seed on the data of one seed."""

    def validation_auc(self) -> float | None:
        """Returns the AUC that chooses a learning rate; `None` without test rows."""

    def slim(self, name: str) -> None:
        """Removes the models of a row that no other row starts from."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        title: Its name in the paper.
        run: A function that runs the row of an experiment.
    """

    title: str
    run: Callable[..., Any]


# From settings, a folder and a seed to an experiment.
Build = Callable[[ModelSettings, pathlib.Path, int], PeriodExperiment]


def by_seed(
    load: Callable[[int], Any], experiment: Callable[..., PeriodExperiment]
) -> tuple[Callable[[int], Any], Build]:
    """Returns a function that loads the data of a seed, and one that builds on it.

    Args:
        load: From a seed to the data; only the data of the last seed is kept.
        experiment: From data, settings, a folder and a seed to an experiment.

    Returns:
        `data(seed)` and `build(settings, folder, seed)`.
    """
    data = functools.lru_cache(maxsize=1)(load)

    def build(settings, folder, seed):
        return experiment(data(seed), settings, folder, seed)

    return data, build


def run_rows(
    names: Sequence[str],
    rows: Mapping[str, Row],
    arguments: argparse.Namespace,
    shared: Mapping[str, Any],
    lines: ResultLines,
    start: Callable[[], tuple[Build, Callable[[Any, Any], dict[str, Any]]]],
) -> None:
    """Runs every row with every seed, except those that `lines` already holds.

    Args:
        names: Names of the rows to run.
        rows: `{name: row}`.
        arguments: The arguments of the command line.
        shared: What all results of these arguments have in common.
        lines: The `ResultLines`.
        start: A function that is called if there is any work. It returns `build`, as
            in `by_seed`, and a function from what a row returns, and its experiment,
            to the results of the row.

    Raises:
        SystemExit: If the data is missing or invalid.
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


def models_folder(run_dir: pathlib.Path, shared: Mapping[str, Any]) -> pathlib.Path:
    """Returns the folder of a configuration, so that no other resumes its models."""
    return run_dir / f"{zlib.crc32(json.dumps(shared).encode()):08x}"


def choose_rate(
    settings: ModelSettings, folder: pathlib.Path, build: Build
) -> ModelSettings:
    """Returns the settings with only the learning rate that validates best.

    Args:
        settings: The `ModelSettings`.
        folder: Where the candidates are trained.
        build: As in `by_seed`.

    Raises:
        SystemExit: If there are too few rows before the start to compare rates.
    """
    if len(settings.learning_rates) == 1:
        return settings
    aucs = {}
    for rate in settings.learning_rates:
        one = dataclasses.replace(settings, learning_rates=(rate,))
        auc = build(one, folder / f"{rate:g}", 0).validation_auc()
        if auc is None or math.isnan(auc):
            raise SystemExit(
                explain(
                    "rows of both labels before the start, to choose a learning rate",
                    "too few rows there",
                    "start later, or give one of --learning-rates",
                )
            )
        aucs[rate] = auc
        print(f"learning rate {rate:g}: validation AUC {auc:.4f}", flush=True)
    return dataclasses.replace(settings, learning_rates=(max(aucs, key=aucs.get),))


def of_configuration(
    lines: ResultLines, configuration: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Returns the records of one configuration."""
    return [r for r in lines.records if r["configuration"] == configuration]
