"""Finished periods on disk, one folder each, that appears as a whole."""

import dataclasses
import json
import pathlib
import warnings

import keras
import numpy as np
import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.files import checksums, damaged_file, whole_folder

CHECKSUMS, SCORES = "checksums.json", "scores.npy"


@dataclasses.dataclass(frozen=True)
class Finished:
    """A model and what belongs to it.

    Attributes:
        model: The compiled `keras.Model`, its optimizer's slots with it.
        schema: Its `Schema`.
        seen: `{column: values that were trained on}`.
        number: The period that it was trained until; `None` for a user's model.
        scores: Of the rows of that period, by the model before, `[N]`.
    """

    model: keras.Model
    schema: Schema
    seen: dict = dataclasses.field(default_factory=dict)
    number: int | None = None
    scores: object = None


def ready(record):
    """Returns when a model is there for others; records of old have their end alone."""
    return record.get("ready", record["end"])


class Store:
    """The folder of a run: `000007/` has what period 7 left.

    `record.json` says what was done; `model.keras`, `schema.json` and
    `seen_{column}.parquet`, and their sums in `checksums.json`, are there unless the
    period was skipped, and `scores.npy` if it was tested. A folder takes its
    name by one rename when all is in it, so that checkpoint, cursor and metrics are
    never apart.

    Args:
        directory: The folder; it is made by the first `add`.
    """

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def records(self) -> list:
        """Returns the records of the finished periods, in order.

        Raises:
            ValueError: If one cannot be read.
        """
        return [self._record(number) for number in self.numbers()]

    def numbers(self) -> list:
        """Returns the numbers of the finished periods, in order."""
        folders = (path for path in self.directory.glob("*") if path.is_dir())
        return sorted(int(path.name) for path in folders if path.name.isdigit())

    def add(self, record, finished=None):
        """Writes down that a period is finished.

        Args:
            record: JSON-like, with its `number`.
            finished: What it left; `None` if it was skipped.
        """
        with whole_folder(self._folder(record["number"])) as folder:
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

    def scores(self, number):
        """Returns the scores that a period's rows had before it was trained on.

        Args:
            number: Of a period that was tested, whose folder is there.

        Returns:
            `[N]`, in the order of its rows.
        """
        return np.load(self._folder(number) / SCORES)

    def latest(self, end=None, before=False, good=None):
        """Returns the record of the newest model; `None` if there is none.

        Args:
            end: Leave out models that are ready later.
            before: Leave out those of periods that end at `end`, too.
            good: A function of a record; leave out what it says no to.

        A period whose record cannot be read is left out, with a warning.

        Raises:
            TypeError: If their ends are of another kind than `end`.
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

    def is_intact(self, record) -> bool:
        """Whether the files of a period are as they were written."""
        folder = self._folder(record["number"])
        path = folder / CHECKSUMS
        try:
            known = json.loads(path.read_text()) if path.exists() else {}
            return damaged_file(folder, known) is None
        except (OSError, ValueError):
            return False

    def _in_time(self, record, end, before):
        own = ready(record)
        try:
            return own <= end and not (before and record["end"] == end)
        except TypeError as error:
            raise TypeError(
                explain(
                    f"an end as those of {self.directory}, e.g. {own!r}",
                    repr(end),
                    "give the periods of both runs ends of one kind, by end=",
                )
            ) from error

    def load(self, record) -> Finished:
        """Returns what a period left."""
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

    def check_settings(self, settings):
        """Raises if the periods so far were run otherwise."""
        for record in self.records()[:1]:
            known = record["settings"]
            wrong = [name for name in settings if settings[name] != known.get(name)]
            if wrong:
                raise ValueError(
                    explain(
                        f"what {self.directory} was run with, "
                        f"{ {name: known.get(name) for name in wrong} }",
                        {name: settings[name] for name in wrong},
                        "pass the same again, or another directory",
                    )
                )

    def _record(self, number):
        path = self._folder(number) / "record.json"
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ValueError(
                explain(
                    "the record of a finished period, as it was written",
                    f"{path}: {type(error).__name__}: {error}",
                    f"move {path.parent} away, and those of later periods of this "
                    "run: the same call makes them again",
                )
            ) from error

    def _folder(self, number):
        return self.directory / f"{number:06d}"
