"""Where a run takes models from: a user's model, or what another run leaves."""

import pathlib
import warnings

import keras

from tf_ctr.continual.store import Finished, Store
from tf_ctr.errors import explain


class FixedModel:
    """A model that stays as it is.

    Args:
        model: A `keras.Model`.
        schema: Its schema.
    """

    def __init__(self, model, schema):
        self._finished = Finished(model, schema)

    def number(self, end, before=False):
        """Returns `None`: it is of no period."""
        return None

    def load(self, end, before=False) -> Finished:
        """Returns the model."""
        return self._finished


class PeriodModels:
    """The models that another run leaves, one per period, as they are finished.

    Args:
        directory: The folder of that run.
        kind: What they are, for messages: `"source"` or `"target"`.
    """

    def __init__(self, directory, kind):
        self._store, self._kind = Store(directory), kind
        self._whole = set()  # Records read through: a model is large.

    def number(self, end, before=False):
        """Returns the period of the newest model that is ready at `end` or earlier.

        A model whose files are damaged is passed over, with a warning.

        Args:
            end: The end of a period.
            before: Whether its own period must end earlier.

        Returns:
            Its number, `None` if there is none.
        """
        record = self._store.latest(end, before, self._is_good)
        return None if record is None else record["number"]

    def load(self, end, before=False) -> Finished:
        """Returns that model.

        Raises:
            ValueError: If there is none.
        """
        record = self._store.latest(end, before, self._is_good)
        if record is None:
            ends = [each["end"] for each in self._store.records() if each["trained"]]
            raise ValueError(
                explain(
                    f"a finished {self._kind} model of a period that ends "
                    f"{'before' if before else 'by'} {end!r}",
                    f"models in {self._store.directory} that end at {ends}",
                    "train it first, or start with a later period",
                )
            )
        return self._store.load(record)

    def _is_good(self, record):
        if record["number"] in self._whole:
            return True
        if self._store.is_intact(record):
            self._whole.add(record["number"])
            return True
        warnings.warn(
            f"The {self._kind} model of period {record['name']} in "
            f"{self._store.directory} is skipped: its files are damaged.",
            stacklevel=2,
        )
        return False


def origin(value, schema, kind):
    """Returns what to take models from.

    Args:
        value: A `keras.Model`, the folder of a run, or `None`.
        schema: The schema of a model.
        kind: `"source"` or `"target"`.

    Raises:
        ValueError: For a model without its schema, or a folder that is not there.
        TypeError: For anything else.
    """
    if value is None:
        return None
    if isinstance(value, keras.Model):
        if schema is None:
            raise ValueError(
                explain(f"the schema of the {kind} model", "none", "pass schema=")
            )
        return FixedModel(value, schema)
    if not isinstance(value, str | pathlib.Path):
        raise TypeError(
            explain(
                f"a keras.Model as {kind}, or the directory of a run",
                type(value).__name__,
                f"pass {kind}=model, or the directory given to train_source",
            )
        )
    if not pathlib.Path(value).is_dir():
        raise ValueError(
            explain(
                f"the directory of a run as {kind}",
                f"{value}, which is not there",
                f"train the {kind} model first, with tf_ctr.continual",
            )
        )
    return PeriodModels(value, kind)
