"""Training over time: period by period, from the newest source model there is.

A *period* is an hour, a day or a week of impressions, with a number and an end. A *run*
trains one model over periods, and keeps what each period left in a folder: the model,
its schema and a record. A run is *finished* with a period when that folder is there. It
*resumes* from the newest one, and takes in newer *source* models as `Refresh` says.
Several runs on one clock are *levels*; none of them waits for another.

- `run` trains a target model, `train_source` a source model, `run_levels` several.
- `Period`, `Training` and `Refresh` describe the data, the training of one period, and
  what a newer source model changes.
- `PeriodCallback` is the base class of callbacks; `ExportCallback` and `MatrixCallback`
  export, and test on all periods.
- `Report` shows the metrics. Each period is tested before it is trained on.
"""

from tf_ctr.continual.callbacks import ExportCallback, MatrixCallback, PeriodCallback
from tf_ctr.continual.clocks import Level, NotYetError, run_levels
from tf_ctr.continual.loop import run, train_source
from tf_ctr.continual.periods import Period
from tf_ctr.continual.refresh import Refresh
from tf_ctr.continual.report import Report
from tf_ctr.continual.training import Training

__all__ = [
    "ExportCallback",
    "Level",
    "MatrixCallback",
    "NotYetError",
    "Period",
    "PeriodCallback",
    "Refresh",
    "Report",
    "Training",
    "run",
    "run_levels",
    "train_source",
]


def __dir__() -> list[str]:
    return [*__all__]
