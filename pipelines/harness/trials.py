"""Tuning under one budget: every row of a table may try the same number of settings."""

import dataclasses
import itertools
import json
import zlib

import numpy as np

from pipelines.harness.runs import Settings, train
from tf_ctr.errors import explain


@dataclasses.dataclass(frozen=True)
class Trial:
    """One way to train a row.

    Attributes:
        settings: `Settings` with one learning rate.
        arguments: Further arguments of the row's `build`, JSON-like.
    """

    settings: Settings
    arguments: dict = dataclasses.field(default_factory=dict)

    def chosen(self):
        """What a trial tries: the learning rate, the penalties, the arguments."""
        names = ("dropout", "l2", "embedding_l2")
        shown = {name: getattr(self.settings, name) for name in names}
        return {
            "learning_rate": self.settings.learning_rates[0],
            **shown,
            **self.arguments,
        }


def candidates(settings, space, budget, seed=0):
    """Draws trials that cover a grid; the first takes the first value of everything.

    A Latin hypercube, McKay, Beckman and Conover (1979): over the trials, each value
    of a name is tried as often as the others. A grid within the budget is taken whole.

    Args:
        settings: `Settings`; what `space` does not name stays as it is here.
        space: `{name: values}`, the names fields of `Settings` (`learning_rate` for
            its learning rate) or arguments of the row's `build`; the first value is
            the default.
        budget: Number of trials, or fewer if the grid has fewer points.
        seed: Seed of the draw; no point is taken twice.

    Returns:
        List of `Trial`.

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
    """A Latin hypercube: each value of a name occurs as often as the others."""
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


def tune(build, splits, schema, trials, seed, run_dir, verbose=0):
    """Trains every trial and keeps the best by validation AUC.

    What is finished is loaded, what was killed goes on; see
    `pipelines.harness.runs.train`.

    Args:
        build: `build(settings, **arguments)` returns an uncompiled model.
        splits: Frames `train` and `validation`.
        schema: The fitted schema.
        trials: The trials; one trial is one training.
        seed: Seed of the weights, the shuffling and the routers.
        run_dir: Folder; each trial has its own below it.
        verbose: Keras's verbosity.

    Returns:
        The model, and its record: that of `train`, with `trial`, the position of
        the best in `trials`, what it has `chosen`, and `tried`, `{chosen,
        validation_auc}` of each.
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


def run_folder(trial):
    """Returns a short name that two different trials of a row do not share."""
    text = json.dumps(trial.chosen(), sort_keys=True)
    rate = trial.settings.learning_rates[0]
    return f"learning_rate_{rate:g}_{zlib.crc32(text.encode()):08x}"
