"""Tuning under one budget: every row of a table may try the same number of settings."""

import dataclasses
import itertools
import json
import pathlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np

from pipelines.harness.runs import Settings, train
from tf_ctr.datasets import Splits
from tf_ctr.errors import explain
from tf_ctr.features import Schema


@dataclasses.dataclass(frozen=True)
class Trial:
    """One way to train a row.

    Attributes:
        settings: `Settings` with one learning rate.
        arguments: Further arguments of the row's `build`, JSON-like.
    """

    settings: Settings
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)

    def chosen(self) -> dict[str, Any]:
        """Returns what the trial sets: learning rate, penalties and arguments."""
        names = ("dropout", "l2", "embedding_l2")
        shown = {name: getattr(self.settings, name) for name in names}
        return {
            "learning_rate": self.settings.learning_rates[0],
            **shown,
            **self.arguments,
        }


def candidates(
    settings: Settings, space: Mapping[str, tuple], budget: int, seed: int = 0
) -> list[Trial]:
    """Draws trials that cover a grid; the first trial has the first value of each name.

    A Latin hypercube, McKay, Beckman and Conover (1979): over the trials, each value
    of a name is tried as often as the others. If the budget allows, all points of the
    grid are tried.

    Args:
        settings: `Settings`, for the fields that `space` does not name.
        space: `{name: values}`, the default first. A name is a field of `Settings`
            (`learning_rate` for its learning rate) or an argument of the row's
            `build`.
        budget: Number of trials; there are fewer if the grid has fewer points.
        seed: Seed of the draw; no point is drawn twice.

    Returns:
        The trials.

    Raises:
        ValueError: If the budget is below 1, or a name has no values.
    """
    if budget < 1 or not all(space.values()):
        raise ValueError(
            explain(
                "a budget of at least one trial and a value for every name",
                f"budget {budget}, space {space}",
                "pass e.g. budget=4, space={'learning_rate': (1e-3, 3e-3)}",
            )
        )
    grid = list(itertools.product(*space.values()))
    if len(grid) <= budget:
        points = grid
    else:
        points = _spread(space, budget, np.random.default_rng(seed))
    return [_trial(settings, dict(zip(space, point, strict=True))) for point in points]


def _spread(space, budget, generator):
    """Returns a Latin hypercube: each value of a name occurs as often as the others."""
    while True:
        columns = []
        for values in space.values():
            column = [i % len(values) for i in range(budget)]
            others = generator.permutation(column[1:])
            columns.append([values[i] for i in (column[0], *others)])
        points = list(zip(*columns, strict=True))
        if all(point not in points[:i] for i, point in enumerate(points)):
            return points


def _trial(settings, point):
    rate = point.pop("learning_rate", settings.learning_rates[0])
    names = {field.name for field in dataclasses.fields(Settings)}
    known = {name: value for name, value in point.items() if name in names}
    arguments = {name: value for name, value in point.items() if name not in names}
    return Trial(
        dataclasses.replace(settings, learning_rates=(rate,), **known), arguments
    )


def tune(
    build: Callable[..., keras.Model],
    splits: Splits,
    schema: Schema,
    trials: Iterable[Trial],
    seed: int,
    run_dir: pathlib.Path,
    verbose: int | str = 0,
) -> tuple[keras.Model, dict[str, Any]]:
    """Trains every trial, and returns the best by validation AUC.

    Finished trials are loaded and killed ones resumed; see
    `pipelines.harness.runs.train`.

    Args:
        build: `build(settings, **arguments)` returns an uncompiled model.
        splits: Frames `train` and `validation`.
        schema: The fitted schema.
        trials: The trials; each is a training run.
        seed: Seed of the weights, the shuffling and the routers.
        run_dir: The folder in which each trial has its own.
        verbose: Keras's verbosity.

    Returns:
        The model, and the record of `train` with three more keys: `trial`, the
        position of the best in `trials`; `chosen`, what it sets; and `tried`, the
        `chosen` and the `validation_auc` of each trial.
    """
    best, tried = None, []
    for position, trial in enumerate(trials):
        model, record = train(
            lambda trial=trial: build(trial.settings, **trial.arguments),
            splits,
            schema,
            trial.settings,
            trial.settings.learning_rates[0],
            seed,
            run_dir / run_folder(trial),
            verbose,
            trial.arguments,
        )
        tried.append(
            {"chosen": trial.chosen(), "validation_auc": record["validation_auc"]}
        )
        if best is None or record["validation_auc"] > best[1]["validation_auc"]:
            best = (
                model,
                {**record, "trial": position, "chosen": trial.chosen()},
            )
    return best[0], {**best[1], "tried": tried}


def run_folder(trial: Trial) -> str:
    """Returns a short folder name, different for any two trials of a row."""
    text = json.dumps(trial.chosen(), sort_keys=True)
    rate = trial.settings.learning_rates[0]
    return f"learning_rate_{rate:g}_{zlib.crc32(text.encode()):08x}"
