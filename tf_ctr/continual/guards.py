"""Guards: a model that has become worse is kept, but not published."""

from numbers import Real
from typing import Any

import keras
import numpy as np

from tf_ctr.continual.callbacks import PeriodCallback
from tf_ctr.continual.measuring import measure_scores
from tf_ctr.continual.periods import Period
from tf_ctr.errors import explain
from tf_ctr.evaluation import predict_by_label
from tf_ctr.features import Schema

# In the record of a period whose model is not published: why.
HELD = "held"


class GuardCallback(PeriodCallback):
    """Holds a model back that is worse than the one before it.

    A period that is held back is saved, and the next one trains on from it. But
    `ExportCallback` and snapshots leave it out, and other runs do not take its model:
    the last model that was not held back stays published. A line says why, and so does
    `held` in the period's record.

    The new model is measured on the rows that it was just trained on, and compared
    there with the model before. A model that scores all rows alike is always held.

    Pass it before the callbacks that publish.

    Args:
        max_auc_drop: How much lower the AUC may be than that of the model before;
            `None` for any.
        max_calibration_drift: How far predicted over observed clicks may be from 1;
            `None` for any distance.

    Raises:
        ValueError: If a limit is not positive.

    Example:

    >>> guard = GuardCallback(max_auc_drop=0.01, max_calibration_drift=0.2)
    >>> guard.max_auc_drop
    0.01
    """

    def __init__(
        self,
        max_auc_drop: float | None = 0.01,
        max_calibration_drift: float | None = 0.2,
    ) -> None:
        for name, limit in (
            ("max_auc_drop", max_auc_drop),
            ("max_calibration_drift", max_calibration_drift),
        ):
            if limit is not None and not (isinstance(limit, Real) and limit > 0):
                raise ValueError(
                    explain(
                        f"`{name}` as a positive number, or None",
                        limit,
                        f"pass e.g. {name}=0.01",
                    )
                )
        self.max_auc_drop = max_auc_drop
        self.max_calibration_drift = max_calibration_drift

    def on_period_end(
        self,
        period: Period,
        model: keras.Model,
        schema: Schema,
        record: dict[str, Any],
    ) -> None:
        """Measures the trained model, and marks the record if it is held back."""
        done = [name for name in ("exported", "published") if name in record]
        if done:
            raise ValueError(
                explain(
                    "the guard before the callbacks that publish a model",
                    f"a period that is {done[0]} already",
                    "pass callbacks=[GuardCallback(...), ExportCallback(...)]",
                )
            )
        frame = period.read()
        scores = predict_by_label(model, frame, schema)
        reasons = [
            f"it scores all {len(each):,} rows alike"
            for each in scores.values()
            if len(each) > 1 and np.ptp(each) == 0
        ]
        own = measure_scores(scores, frame, schema, {})
        reasons += self._reasons(record["test"] or {}, own)
        if reasons:
            record[HELD] = "; ".join(reasons)
            print(
                f"period {period.number} ({period.label}) is held back, the last model "
                f"stays published: {record[HELD]}",
                flush=True,
            )

    def _reasons(self, before, own):
        # With several labels, the names start with that of a label.
        for name, value in own.items():
            kind = name.rpartition("_")[2]
            if value is None or kind not in ("auc", "calibration"):
                continue
            last = before.get(name)
            if kind == "calibration":
                limit, worse = self.max_calibration_drift, abs(value - 1)
                text = f"{name} {value:.4f} is farther from 1 than {limit}"
            elif last is not None:
                limit, worse = self.max_auc_drop, last - value
                text = f"{name} falls from {last:.4f} to {value:.4f}, by over {limit}"
            else:
                continue
            if limit is not None and worse > limit:
                yield text
