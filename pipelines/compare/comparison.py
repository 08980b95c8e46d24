"""Chooses, trains and tests every row of a comparison with every seed."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from pipelines.compare.rows import PRETRAINED, Row, trials
from pipelines.compare.training import RowTraining
from pipelines.harness import scoring
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.runs import Settings
from pipelines.harness.statistics import interval
from tf_ctr.datasets import TwoDomains

KEPT = ("validation_auc", "epochs_run", "seconds", "parameters", "train_rows")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is compared, and how much work goes into it.

    Attributes:
        dataset: Name of the data set.
        backbone: Name of the backbone.
        rows: The `Row`s; a pre-trained one comes before those that start from it.
        settings: `Settings`.
        seeds: Number of seeds.
        budget: Number of trials of every row.
    """

    dataset: str
    backbone: str
    rows: list[Row]
    settings: Settings
    seeds: int
    budget: int

    def configuration(self) -> dict[str, Any]:
        """Returns what all results of one backbone share, as JSON stores it."""
        settings = dataclasses.asdict(self.settings)
        shared = {"dataset": self.dataset, "settings": settings, "budget": self.budget}
        return json.loads(json.dumps(shared))


class Comparison:
    """The rows of a plan, trained and tested.

    First every row chooses among its trials, on validation rows, with seed 0. Only
    then are the target's test rows read, once per row and seed. Finished work is
    skipped: choices and tests are in `lines`, trained models in `run_dir`.

    Args:
        plan: The `Plan`.
        domains: The `TwoDomains`.
        run_dir: Folder of the runs.
        lines: The `ResultLines`.
        verbose: Keras's verbosity.

    Raises:
        ValueError: If `lines` has results of another configuration, or a row cannot
            be built.
    """

    def __init__(
        self,
        plan: Plan,
        domains: TwoDomains,
        run_dir: pathlib.Path,
        lines: ResultLines,
        verbose: int | str = 0,
    ) -> None:
        self.plan, self.domains, self.lines = plan, domains, lines
        self.training = RowTraining(
            plan.backbone, domains, run_dir / plan.backbone, verbose
        )
        self.trials = {
            row: trials(row, plan.settings, plan.budget) for row in plan.rows
        }
        self.chosen = {}
        lines.require(
            {"backbone": plan.backbone},
            {"configuration": plan.configuration()},
            fix="give the same options, another --run-dir, or --fresh",
        )
        self.training.check(self.trials, plan.settings)

    def run(self) -> None:
        """Does everything that `lines` does not hold yet."""
        self._progress = self._start_progress()
        for row in self.plan.rows:
            self.chosen[row] = self._choose(row)
        for seed in range(self.plan.seeds):
            for row in self.plan.rows:
                if not self._tested(row, seed):
                    self._test(row, seed)
        for row in self.plan.rows:
            for baseline in row.baselines:
                if baseline in self.plan.rows:
                    self._compare(row, baseline)

    def _start_progress(self):
        """Counts training runs: those of the choices, and one per further seed."""
        done = 0
        for row in self.plan.rows:
            choice = self._stored_choice(row)
            if choice is not None:
                self.chosen[row] = self.trials[row][choice["best"]]
                later = range(1, self.plan.seeds)
                done += self.plan.budget + sum(self._tested(row, s) for s in later)
        each = self.plan.budget + self.plan.seeds - 1
        return Progress(each * len(self.plan.rows), done)

    def _choose(self, row):
        """Returns the best trial of seed 0, by validation AUC."""
        record = self._stored_choice(row)
        if record is None:
            options = self._counted(row, self.trials[row], seed=0)
            _, result = self.training.tune(row, options, 0, self._source_trial(row))
            record = {
                **self._key("choice", row),
                "best": result["trial"],
                "tried": result["tried"],
                **self._origin(row),
            }
            self.lines.append(record)
        return self.trials[row][record["best"]]

    def _stored_choice(self, row):
        offered = [trial.chosen() for trial in self.trials[row]]
        for record in self.lines.records:
            same = self._key("choice", row).items() <= record.items()
            if same and [tried["chosen"] for tried in record["tried"]] == offered:
                return record
        return None

    def _counted(self, row, options, seed):
        """Yields the trials; counts one as done when the next is asked for."""
        for trial in options:
            yield trial
            shown = ", ".join(f"{k} {v}" for k, v in trial.chosen().items())
            self._progress.step(f"{row.title}, seed {seed}: {shown}")

    def _test(self, row, seed):
        """Trains with the chosen trial, and reads the test rows."""
        trial = self.chosen[row]
        options = self._counted(row, [trial], seed) if seed else [trial]
        model, result = self.training.tune(row, options, seed, self._source_trial(row))
        scores = self._scores_path(row, seed)
        batch_size = self.plan.settings.batch_size
        record = {
            **self._test_key(row, seed),
            **{name: result[name] for name in KEPT},
            **scoring.test(model, self.domains, scores),
            "routes": scoring.routes(model, self.domains, batch_size),
            "curve": scoring.curve(self.training.folder(row, seed, trial)),
            **self._origin(row),
        }
        self.lines.append(record)

    def _tested(self, row, seed):
        return self.lines.has(**self._test_key(row, seed))

    def _test_key(self, row, seed):
        chosen = self.chosen[row].chosen()
        return {**self._key("run", row), "seed": seed, "chosen": chosen}

    def _key(self, kind, row):
        """Returns the key of a result; a source trained differently has another key."""
        start = self._source_trial(row)
        return {
            "kind": kind,
            "backbone": self.plan.backbone,
            "row": row.name,
            "start": start and start.chosen(),
        }

    def _source_trial(self, row):
        return self.chosen.get(Row(row.group, PRETRAINED)) if row.transfers else None

    def _origin(self, row):
        return {
            "title": row.title,
            "group": row.group,
            "configuration": self.plan.configuration(),
            **provenance(),
        }

    def _compare(self, row, baseline):
        """Records the interval of the difference of two rows."""
        seeds = range(self.plan.seeds)
        pair = (row, baseline)
        aucs = [[self._auc(one, seed) for seed in seeds] for one in pair]
        key = {**self._key("interval", row), "baseline": baseline.name, "aucs": aucs}
        if self.lines.has(**key):
            return
        paths = [[self._scores_path(one, seed) for seed in seeds] for one in pair]
        labels = self.domains.schema.labels(self.domains.target.test)
        found = interval(labels, *paths)
        difference = np.subtract(*np.mean(aucs, axis=1))
        if found is None or not np.isclose(found["difference"], difference, atol=1e-6):
            print(f"{row.title}: no interval, as the test scores are not in --run-dir.")
        else:
            self.lines.append({**key, **found, **self._origin(row)})

    def _auc(self, row, seed):
        key = self._test_key(row, seed)
        return next(r["auc"] for r in self.lines.records if key.items() <= r.items())

    def _scores_path(self, row, seed):
        return self.training.folder(row, seed) / "test_scores.npy"
