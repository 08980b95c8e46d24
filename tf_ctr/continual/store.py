"""Saves and loads finished periods, one folder each, written whole or not at all."""

import dataclasses
import json
import os
import pathlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd

from tf_ctr.continual.periods import Time
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.files import checksums, damaged_file, whole_folder

CHECKSUMS, SCORES = "checksums.json", "scores.npy"

# The content of a period's `record.json`; callbacks add names of their own.
Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Finished:
    """A trained model with its schema, seen values and scores.

    Attributes:
        model: The compiled model with its optimizer slots.
        schema: The model's schema.
        seen: `{column: values that the model was trained on}`.
        number: Number of the last period that the model was trained on; `None` for a
            model that the user passed.
        scores: The scores `[N]` that the previous model gave the period's rows; `None`
            if the period was not tested.
    """

    model: keras.Model
    schema: Schema
    seen: Mapping[str, pd.Series] = dataclasses.field(default_factory=dict)
    number: int | None = None
    scores: np.ndarray | None = None


class Store:
    """The folder of a run: `000007/` holds the files of period 7.

    `record.json` describes the period. Unless the period was skipped, the folder also
    has `model.keras`, `schema.json` and `seen_{column}.parquet`, with their checksums
    in `checksums.json`, and `scores.npy` if the period was tested. A complete folder
    takes its name by one rename: so a period is finished exactly when its model and its
    metrics are saved.

    Args:
        directory: The folder. The first `add` creates it.
    """

    def __init__(self, directory: str | os.PathLike) -> None:
        self.directory = pathlib.Path(directory)

    def records(self) -> list[Record]:
        """Returns the records of the finished periods, in order.

        Raises:
            ValueError: If a record cannot be read.
        """
        return [self._record(number) for number in self.numbers()]

    def numbers(self) -> list[int]:
        """Returns the numbers of the finished periods, in order."""
        folders = (path for path in self.directory.glob("*") if path.is_dir())
        return sorted(int(path.name) for path in folders if path.name.isdigit())

    def add(self, record: Record, finished: Finished | None = None) -> None:
        """Saves a finished period.

        Args:
            record: The JSON-like record of the period, with its `number`.
            finished: The trained model; `None` if the period was skipped.

        Raises:
            FileExistsError: If the period is there: another process has saved it.
        """
        path = self._folder(record["number"])
        with whole_folder(path) as folder:
            if finished is not None:
                finished.model.save(folder / "model.keras")
                finished.schema.save(folder / "schema.json")
                for column, values in finished.seen.items():
                    frame = pd.DataFrame({column: values})
                    frame.to_parquet(folder / f"seen_{column}.parquet", index=False)
                if finished.scores is not None:
                    np.save(folder / SCORES, finished.scores)
                (folder / CHECKSUMS).write_text(json.dumps(checksums(folder)))
            (folder / "record.json").write_text(json.dumps(record, indent=1))
            if path.exists():  # `whole_folder` would replace it.
                raise FileExistsError(
                    explain(
                        f"period {record['number']} to be new in {self.directory}",
                        f"{path}, saved by another process",
                        "let only one process run in a folder; the same call resumes",
                    )
                )

    def scores(self, number: int) -> np.ndarray:
        """Returns the scores that a period's rows had before they were trained on.

        Args:
            number: A period that was tested.

        Returns:
            The scores `[N]`, in the order of the rows.
        """
        return np.load(self._folder(number) / SCORES)

    def latest(
        self,
        end: Time | None = None,
        before: bool = False,
        good: Callable[[Record], bool] | None = None,
    ) -> Record | None:
        """Returns the record of the newest model, or `None` if there is none.

        A period whose record cannot be read is skipped, with a warning.

        Args:
            end: Skip models that are ready later.
            before: Skip models of periods that end exactly at `end`, too.
            good: A function of a record; skip records for which it returns `False`.

        Raises:
            TypeError: If `end` is a number and the saved ends are text, or vice versa.
        """
        for number in reversed(self.numbers()):
            try:
                record = self._record(number)
            except ValueError as error:
                warnings.warn(str(error), stacklevel=2)
                continue
            if not record["trained"]:
                continue
            if end is not None and not self._in_time(record, end, before):
                continue
            if good is None or good(record):
                return record
        return None

    def is_intact(self, record: Record) -> bool:
        """Returns whether no file of a period is missing or changed."""
        folder = self._folder(record["number"])
        path = folder / CHECKSUMS
        try:
            known = json.loads(path.read_text()) if path.exists() else {}
            return damaged_file(folder, known) is None
        except (OSError, ValueError):
            return False

    def load(self, record: Record) -> Finished:
        """Returns the model of a period with its schema and seen values, no scores."""
        folder = self._folder(record["number"])
        return Finished(
            keras.saving.load_model(folder / "model.keras"),
            Schema.load(folder / "schema.json"),
            {
                path.stem.removeprefix("seen_"): pd.read_parquet(path).iloc[:, 0]
                for path in sorted(folder.glob("seen_*.parquet"))
            },
            record["number"],
        )

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Raises unless the finished periods were run with these settings.

        Raises:
            ValueError: If some differ; the message names them.
        """
        for record in self.records()[:1]:
            known = record["settings"]
            wrong = [name for name in settings if settings[name] != known.get(name)]
            if wrong:
                raise ValueError(
                    explain(
                        f"the settings that {self.directory} was run with, "
                        f"{ {name: known.get(name) for name in wrong} }",
                        {name: settings[name] for name in wrong},
                        "pass the same settings, or another directory",
                    )
                )

    def _in_time(self, record, end, before):
        own = record.get("ready", record["end"])  # The oldest records lack `ready`.
        try:
            return own <= end and not (before and record["end"] == end)
        except TypeError as error:
            raise TypeError(
                explain(
                    f"an end like those in {self.directory}, e.g. {own!r}",
                    repr(end),
                    "pass ends of one kind to both runs, with Period(end=...)",
                )
            ) from error

    def _record(self, number):
        path = self._folder(number) / "record.json"
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ValueError(
                explain(
                    "an intact record of a finished period",
                    f"{path}: {type(error).__name__}: {error}",
                    f"move {path.parent} and the folders of later periods away; the "
                    "same call runs them again",
                )
            ) from error

    def _folder(self, number):
        return self.directory / f"{number:06d}"
