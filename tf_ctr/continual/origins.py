"""Where a run takes models from: the user's model, or the folder of another run."""

import os
import pathlib
import warnings
from typing import Literal

import keras

from tf_ctr.continual.store import Finished, Record, Store
from tf_ctr.continual.times import Time
from tf_ctr.errors import explain
from tf_ctr.features import Schema

Kind = Literal["source", "target"]


class FixedModel:
    """A model that is the same in every period.

    Args:
        model: The model.
        schema: Its schema.
    """

    def __init__(self, model: keras.Model, schema: Schema) -> None:
        self._finished = Finished(model, schema)

    def number(self, end: Time, before: bool = False) -> int | None:
        """Returns `None`, because the model belongs to no period."""
        return None

    def load(self, end: Time, before: bool = False) -> Finished:
        """Returns the model."""
        return self._finished


class PeriodModels:
    """The finished models of another run, one per period.

    Args:
        directory: The folder of the other run.
        kind: The kind of models, for messages.
    """

    def __init__(self, directory: str | os.PathLike, kind: Kind) -> None:
        self._store, self._kind = Store(directory), kind
        # Computing a model's checksums takes long. So a model is checked once to be
        # found, and when it is loaded, unless it was found just before.
        self._intact: set[int] = set()
        self._just_found: set[int] = set()

    def number(self, end: Time, before: bool = False) -> int | None:
        """Returns the period of the newest model that is ready by `end`.

        A model with damaged files is skipped, with a warning.

        Args:
            end: The end of a period.
            before: Whether to skip the model of a period that ends exactly at `end`.

        Returns:
            The number of the period, or `None` if there is no such model.
        """
        record = self._store.latest(end, before, self._is_good)
        return None if record is None else record["number"]

    def load(self, end: Time, before: bool = False) -> Finished:
        """Returns the model that `number` finds.

        Raises:
            ValueError: If there is no such model.
        """
        record = self._store.latest(end, before, self._is_good)
        if record is None:
            raise ValueError(self._without_model(end, before))
        is_checked = record["number"] in self._just_found
        self._just_found.discard(record["number"])
        return self._store.load(record, is_checked)

    def _without_model(self, end, before):
        readable = self._store.readable()
        trained = [each for each in readable if each["trained"]]
        damaged = {
            each["number"]: damage
            for each in trained
            if (damage := self._store.damage(each)) is not None
        }
        pruned = [each for each in trained if self._store.is_pruned(each["number"])]
        held = [each for each in trained if each.get("held")]
        whole = [
            each["end"]
            for each in trained
            if each["number"] not in damaged and each not in [*pruned, *held]
        ]
        received = f"models in {self._store.directory} that end at {whole}"
        fix = "train it first, or start with a later period"
        if pruned:
            received += f", pruned ones at {[each['end'] for each in pruned]}"
            fix += ", or keep more there with PruneCallback(keep=...)"
        if held:
            received += f", ones held back at {[each['end'] for each in held]}"
        known = {each["number"] for each in readable}
        unreadable = set(self._store.numbers()) - known
        damaged |= dict.fromkeys(unreadable, "record.json, which is not as written")
        if damaged:
            parts = [f"period {number}: {each}" for number, each in damaged.items()]
            received += f", and damaged ones, {'; '.join(parts)}"
            fix = (
                "restore the damaged folders from a copy, or move them and those of "
                "later periods away and train these periods again"
            )
        return explain(
            f"a finished {self._kind} model of a period that ends "
            f"{'before' if before else 'by'} {end!r}",
            received,
            fix,
        )

    def _is_good(self, record: Record) -> bool:
        if record["number"] in self._intact:
            return True
        held = record.get("held")
        damage = f"it was held back, because {held}" if held else None
        damage = damage or self._store.damage(record)
        if damage is None:
            self._intact.add(record["number"])
            self._just_found.add(record["number"])
            return True
        warnings.warn(
            f"The {self._kind} model of period {record['name']} in "
            f"{self._store.directory} is skipped: {damage}.",
            stacklevel=2,
        )
        return False


def origin(
    value: keras.Model | str | os.PathLike | None, schema: Schema | None, kind: Kind
) -> FixedModel | PeriodModels | None:
    """Returns the object to load models from; `None` without models.

    Args:
        value: A model, the folder of a run, or `None`.
        schema: The schema, if `value` is a model.
        kind: The kind of models, for messages.

    Raises:
        ValueError: If a model comes without a schema, or the folder does not exist.
        TypeError: If `value` is none of these.
    """
    if value is None:
        return None
    if isinstance(value, keras.Model):
        if schema is None:
            raise ValueError(
                explain(f"the schema of the {kind} model", "none", "pass schema=")
            )
        return FixedModel(value, schema)
    if not isinstance(value, str | os.PathLike):
        raise TypeError(
            explain(
                f"a keras.Model as {kind}, or the directory of a run",
                type(value).__name__,
                f"pass {kind}=model, or the directory of the run that trains it",
            )
        )
    if not pathlib.Path(value).is_dir():
        raise ValueError(
            explain(
                f"the directory of a run as {kind}",
                f"{value}, which does not exist",
                f"train the {kind} model first, with tf_ctr.continual",
            )
        )
    return PeriodModels(value, kind)
