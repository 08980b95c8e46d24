"""Callbacks that a run calls in every period, like those of Keras."""

import pathlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import keras

from tf_ctr.continual.measuring import measure
from tf_ctr.continual.periods import Period
from tf_ctr.features import Schema


class PeriodCallback:
    """Base class of the callbacks that `tf_ctr.continual.run` calls in every period.

    Override the methods that you need. In each trained period, after testing the
    previous model, `run` calls:

    1. `ids`, before the tables get rows for new ids;
    2. `on_period_begin`, once the model to train has a row for every id;
    3. `on_period_end`, after the training and before the period is saved.

    Each method is called for all callbacks, in the order of the list, before the next
    method. A period without rows calls none of them. The period is saved after the last
    call: a run killed earlier repeats the period with all of its calls. Then `run`
    calls `on_period_saved`. Before all periods it calls `on_run_begin`.

    `on_period_begin` may change the model in place. Both `on_...` methods may add
    JSON-like values under new names to `record`, the period's line of `report.jsonl`.
    Everything else is read-only.

    Example:

    >>> class PrintLoss(PeriodCallback):
    ...     def on_period_end(self, period, model, schema, record):
    ...         print(f"{period.label}: {record['loss']:.4f}")
    """

    def on_run_begin(self, directory: pathlib.Path) -> None:
        """Runs before the first period that is left to run.

        Args:
            directory: The folder of the run.
        """

    def ids(
        self, period: Period, model: keras.Model
    ) -> Mapping[str, Collection[int | str]]:
        """Returns `{field: ids}` to add to the tables although no data has them yet.

        Args:
            period: The period.
            model: The model that this period starts from.
        """
        return {}

    def on_period_begin(
        self,
        period: Period,
        model: keras.Model,
        schema: Schema,
        record: dict[str, Any],
    ) -> None:
        """Runs before the training of a period.

        Args:
            period: The period.
            model: The compiled model to train, with a row for every id.
            schema: Its schema.
            record: The record so far, with the test metrics in `test`.
        """

    def on_period_end(
        self,
        period: Period,
        model: keras.Model,
        schema: Schema,
        record: dict[str, Any],
    ) -> None:
        """Runs after the training of a period, before the period is saved.

        Args:
            period: The period.
            model: The trained model.
            schema: Its schema.
            record: The record, with `loss` and `rows_trained`.
        """

    def on_period_saved(self, period: Period, record: Mapping[str, Any]) -> None:
        """Runs after a period is saved. A run killed before it does not call it again.

        Args:
            period: The period.
            record: Its record.
        """


class ExportCallback(PeriodCallback):
    """Exports the model of every period; the record holds the result as `exported`.

    A model that a `GuardCallback` before it holds back is not exported.

    Args:
        export: A function `(model, schema)`, e.g.
            `functools.partial(tf_ctr.export.export, directory="savedmodels/ctnet")`.
    """

    def __init__(self, export: Callable[[keras.Model, Schema], Any]) -> None:
        self._export = export

    def on_period_end(
        self,
        period: Period,
        model: keras.Model,
        schema: Schema,
        record: dict[str, Any],
    ) -> None:
        """Exports the trained model."""
        if "held" not in record:
            record["exported"] = str(self._export(model, schema))


class MatrixCallback(PeriodCallback):
    """Tests the model of every period on all given periods.

    `tf_ctr.continual.Report.matrix` shows the result: how much a model forgets of
    earlier periods, and how its metrics decay over later ones.

    Args:
        periods: The periods to test on.
    """

    def __init__(self, periods: Iterable[Period]) -> None:
        self._periods = list(periods)

    def on_period_end(
        self,
        period: Period,
        model: keras.Model,
        schema: Schema,
        record: dict[str, Any],
    ) -> None:
        """Tests the trained model."""
        record["matrix"] = {}
        for other in self._periods:
            # The run itself tests the model on the next period.
            if other.number == period.number + 1:
                continue
            frame = other.read()
            if len(frame):
                metrics = measure(model, frame, schema)
                record["matrix"][str(other.number)] = metrics
