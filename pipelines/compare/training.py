"""Builds and trains the rows of a comparison; rows of a group share their source."""

import dataclasses
import inspect

import pandas as pd

from pipelines.compare.rows import PRETRAINED, Row, transfer_by
from pipelines.harness.trials import run_folder, tune
from tf_ctr.backbones import BACKBONES
from tf_ctr.datasets.domains import Splits
from tf_ctr.surgery.rebuild import copy_weights


class RowTraining:
    """The trainings of one backbone on one dataset.

    A row that is pre-trained on the source learns, is stopped and is chosen on the
    source; one that is pre-trained on both learns from both. All else is of the target.

    Args:
        backbone: Name of the backbone.
        domains: The `TwoDomains`.
        run_dir: Folder of the runs.
        verbose: Keras's verbosity.
    """

    def __init__(self, backbone, domains, run_dir, verbose=0):
        self.domains, self.run_dir, self.verbose = domains, run_dir, verbose
        self._build = BACKBONES[backbone]
        self._splits = {"source": domains.source, "all": _together(domains)}
        self._sources = {}

    def check(self, trials, settings):
        """Builds every row at toy size; what cannot be built raises before any work.

        Args:
            trials: `{row: its trials}`.
            settings: `Settings`.
        """
        units = (2,) * len(settings.hidden_units)
        small = dataclasses.replace(settings, embedding_dim=2, hidden_units=units)
        source = self._backbone(small)
        for row, (first, *_) in trials.items():
            if row.transfers:
                transfer_by(
                    row.method, source, self.domains, 0, row.which, **first.arguments
                )

    def tune(self, row, trials, seed, source_trial=None):
        """Trains a row by every trial; see `pipelines.harness.trials.tune`.

        Args:
            row: The `Row`.
            trials: Its trials.
            seed: The seed.
            source_trial: Of a row that transfers, how its source is trained.

        Returns:
            The best model and its record.
        """
        splits = self.domains.target
        if row.method == PRETRAINED:
            splits = self._splits[row.group]
        return tune(
            self._builder(row, seed, source_trial),
            splits,
            self.domains.schema,
            trials,
            seed,
            self.folder(row, seed),
            self.verbose,
        )

    def folder(self, row, seed, trial=None):
        """Returns the folder of a row and a seed, or of one trial of it."""
        folder = self.run_dir / row.name / f"seed_{seed}"
        return folder if trial is None else folder / run_folder(trial)

    def _builder(self, row, seed, source_trial):
        if not row.transfers:
            return self._backbone
        source = self._source(row.group, seed, source_trial)

        def build(settings, **arguments):
            # The same weights, with the dropout and the penalties of this trial.
            start = self._backbone(settings)
            copy_weights(source, start)
            return transfer_by(
                row.method, start, self.domains, seed, row.which, **arguments
            )

        return build

    def _backbone(self, settings):
        known = inspect.signature(self._build).parameters
        arguments = settings.model_arguments().items()
        chosen = {name: value for name, value in arguments if name in known}
        return self._build(self.domains.schema, **chosen)

    def _source(self, group, seed, trial):
        key = (group, seed, str(trial))
        if key not in self._sources:
            if any(known[1] != seed for known in self._sources):
                self._sources = {}  # Those of one seed are enough in memory.
            model, _ = self.tune(Row(group, PRETRAINED), [trial], seed)
            self._sources[key] = model
        return self._sources[key]


def _together(domains):
    """The training rows of both domains."""
    source, target = domains.source, domains.target
    return Splits(
        pd.concat([source.train, target.train], ignore_index=True),
        target.validation,
        target.test,
    )
