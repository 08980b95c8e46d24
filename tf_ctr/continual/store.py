"""Saves and loads finished periods, one folder each, written whole or not at all."""

import contextlib
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

from tf_ctr.continual.old_sums import CHECKSUMS, manifest_of_0_2
from tf_ctr.continual.times import Time, is_ready
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.files import MANIFEST, DamagedError, read_manifest, whole_folder
from tf_ctr.files.models import check_weights, load_model

RECORD, MODEL = "record.json", "model.keras"
SCHEMA, SCORES = "schema.json", "scores.npy"
# In the folder of a period whose other files were removed to save space.
PRUNED = "pruned.json"
# In each record since the folders have a manifest.
FORMAT = {"format": 2}

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
        scores: The scores that the previous model gave the period's rows, `[N]`, or
            `[N, L]` in the order of L labels; `None` if the period was not tested.
    """

    model: keras.Model
    schema: Schema
    seen: Mapping[str, pd.Series] = dataclasses.field(default_factory=dict)
    number: int | None = None
    scores: np.ndarray | None = None


class Store:
    """The folder of a run: `000007/` holds the files of period 7.

    `record.json` describes the period. Unless it was skipped or pruned, the folder also
    has `model.keras`, `schema.json` and `seen_{column}.parquet`, and `scores.npy` if
    the period was tested. A complete folder takes its name by one rename: so a period
    is finished exactly when its model and its metrics are saved. `manifest.json` has
    the sizes and SHA-256 of all files, which are checked when they are read.

    Folders of versions 0.1 and 0.2 have `checksums.json` instead, without which their
    models are not loaded; their records have no sum and are believed.

    Args:
        directory: The folder. The first `add` creates it.
    """

    def __init__(self, directory: str | os.PathLike) -> None:
        self.directory = pathlib.Path(directory)

    def records(self) -> list[Record]:
        """Returns the records of the finished periods, in order.

        Raises:
            DamagedError: If a record cannot be read, or is not as it was written.
        """
        return [self.record(number) for number in self.numbers()]

    def record(self, number: int) -> Record:
        """Returns the record of a finished period.

        Raises:
            DamagedError: If it cannot be read, or is not as it was written.
        """
        path = self._folder(number) / RECORD
        if (path.parent / MANIFEST).exists():
            self._manifest(number).check([RECORD])
        try:
            record = json.loads(path.read_text())
            record["number"], record["trained"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise DamagedError(
                "an intact record of a finished period",
                f"{path}: {type(error).__name__}: {error}",
                self._fix(number),
            ) from error
        if "format" in record and not (path.parent / MANIFEST).exists():
            self._manifest(number)  # Raises, as it is missing.
        return {name: record[name] for name in record if name not in FORMAT}

    def readable(self) -> list[Record]:
        """Returns the records that can be read, in order."""
        found = []
        for number in self.numbers():
            with contextlib.suppress(DamagedError):
                found.append(self.record(number))
        return found

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
            ValueError: If a weight of the model is NaN or infinite.
        """
        path = self._folder(record["number"])
        with whole_folder(path) as folder:
            if finished is not None:
                check_weights(finished.model)
                finished.model.save(folder / MODEL)
                finished.schema.save(folder / SCHEMA)
                for column, values in finished.seen.items():
                    frame = pd.DataFrame({column: values})
                    frame.to_parquet(folder / f"seen_{column}.parquet", index=False)
                if finished.scores is not None:
                    np.save(folder / SCORES, finished.scores)
            text = json.dumps({**FORMAT, **record}, indent=1)
            (folder / RECORD).write_text(text)
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
            The scores `[N]`, in the order of the rows; `[N, L]` for L labels.

        Raises:
            DamagedError: If the file is not as it was written.
        """
        with self._manifest(number).checking([SCORES]):
            return np.load(self._folder(number) / SCORES, allow_pickle=False)

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
                record = self.record(number)
            except ValueError as error:
                warnings.warn(str(error), stacklevel=2)
                continue
            if not record["trained"] or self.is_pruned(number):
                continue
            # The oldest records lack `ready`.
            own: Any = record.get("ready", record["end"])
            where, last = f"end in {self._folder(number)}", record["end"]
            if end is not None and not is_ready(where, own, last, end, before):
                continue
            if good is None or good(record):
                return record
        return None

    def damage(self, record: Record) -> str | None:
        """Returns what is wrong with a period's files; `None` if all are whole."""
        try:
            self.check(record["number"])
        except DamagedError as error:
            return error.damage
        return None

    def check(self, number: int) -> None:
        """Raises unless all files of a period are as they were written.

        Of a pruned period, only the record is left.

        Raises:
            DamagedError: With the first damaged file, and how to train it again.
        """
        if self.is_pruned(number):
            self.record(number)
        else:
            self._manifest(number).check()

    def is_pruned(self, number: int) -> bool:
        """Returns whether only the record of a period is left."""
        return (self._folder(number) / PRUNED).exists()

    def is_intact(self, record: Record) -> bool:
        """Returns whether no file of a period is missing or changed."""
        return self.damage(record) is None

    def load(self, record: Record, is_checked: bool = False) -> Finished:
        """Returns the model of a period with its schema and seen values, no scores.

        Args:
            record: The record of the period.
            is_checked: Whether the files were checked just before; otherwise they are
                checked while they are loaded.

        Raises:
            DamagedError: If one is not as it was written; the message names the file,
                and says how to train the period again.
            ValueError: If the period was pruned.
        """
        folder = self._folder(record["number"])
        if self.is_pruned(record["number"]):
            raise ValueError(
                explain(
                    f"the model of period {record['number']} in {self.directory}",
                    "a pruned period, which has only its record",
                    "take a newer period, or keep more with PruneCallback(keep=...)",
                )
            )
        manifest = self._manifest(record["number"])
        seen = [name for name in manifest.files if name.startswith("seen_")]
        with manifest.checking([] if is_checked else [MODEL, SCHEMA, *seen]):
            return Finished(
                load_model(folder / MODEL),
                Schema.load(folder / SCHEMA),
                {
                    name.removeprefix("seen_").removesuffix(
                        ".parquet"
                    ): pd.read_parquet(folder / name).iloc[:, 0]
                    for name in seen
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

    def _manifest(self, number):
        folder = self._folder(number)
        what, fix = f"period {number}", self._fix(number)
        if (folder / MANIFEST).exists() or not (folder / CHECKSUMS).exists():
            return read_manifest(folder, what, fix)
        return manifest_of_0_2(folder, what, fix, (MODEL, SCHEMA))

    def _fix(self, number):
        return (
            f"restore {self._folder(number)} from a copy; or move it and the folders "
            f"of later periods away, and the same call recomputes period {number} and "
            "those after it"
        )

    def _folder(self, number):
        return self.directory / f"{number:06d}"
