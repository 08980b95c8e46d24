"""Builds and trains the rows of a comparison; rows of a group share their source."""

import dataclasses
import inspect
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import pandas as pd

from pipelines.compare.rows import PRETRAINED, Row, transfer_by
from pipelines.harness.runs import Settings
from pipelines.harness.trials import Trial, run_folder, tune
from tf_ctr.backbones import BACKBONES
from tf_ctr.datasets import Splits, TwoDomains
from tf_ctr.surgery import copy_weights


class RowTraining:
    """The training runs of one backbone on one data set.

    A row pre-trained on the source learns from the source, and the validation rows of
    the source stop and choose it. A row pre-trained on both domains learns from both.
    In all other cases, the target's rows are used.

    Args:
        backbone: Name of the backbone.
        domains: The `TwoDomains`.
        run_dir: Folder of the runs.
        verbose: Keras's verbosity.
    """

    def __init__(
        self,
        backbone: str,
        domains: TwoDomains,
        run_dir: pathlib.Path,
        verbose: int | str = 0,
    ) -> None:
        self.domains, self.run_dir, self.verbose = domains, run_dir, verbose
        self._build = BACKBONES[backbone]
        self._splits = {"source": domains.source, "all": _together(domains)}
        self._sources = {}

    def check(self, trials: Mapping[Row, Sequence[Trial]], settings: Settings) -> None:
        """Builds every row at toy size, so that a row that cannot be built fails early.

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

    def tune(
        self,
        row: Row,
        trials: Sequence[Trial],
        seed: int,
        source_trial: Trial | None = None,
    ) -> tuple[keras.Model, dict[str, Any]]:
        """Trains a row with every trial; see `pipelines.harness.trials.tune`.

        Args:
            row: The `Row`.
            trials: Its trials.
            seed: The seed.
            source_trial: How the source is trained, for a row that transfers.

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

    def folder(self, row: Row, seed: int, trial: Trial | None = None) -> pathlib.Path:
        """Returns the folder of a row and a seed, or of one of its trials."""
        folder = self.run_dir / row.name / f"seed_{seed}"
        return folder if trial is None else folder / run_folder(trial)

    def _builder(self, row, seed, source_trial):
        if not row.transfers:
            return self._backbone
        source = self._source(row.group, seed, source_trial)

        def build(settings, **arguments):
            # The source's weights, with the dropout and the penalties of this trial.
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
                self._sources = {}  # Keep only the models of one seed in memory.
            model, _ = self.tune(Row(group, PRETRAINED), [trial], seed)
            self._sources[key] = model
        return self._sources[key]


def _together(domains):
    """Returns the training rows of both domains, with the target's other rows."""
    source, target = domains.source, domains.target
    return Splits(
        pd.concat([source.train, target.train], ignore_index=True),
        target.validation,
        target.test,
    )
