"""Training over time: period by period, from the newest available source model.

A *period* is an hour, a day or a week of impressions, with a number and an end. A *run*
trains one model over periods, and saves a folder per period: the model, its schema and
a record. A period is *finished* once its folder exists. A killed run *resumes* after
the newest finished period. `Refresh` says how a run takes in newer *source* models.
Several runs on one clock are *levels*; none of them waits for another.

- `run` trains a target model, `train_source` a source model, `run_levels` several
  models.
- `Period` describes the data, `Training` the training of one period, and `Refresh` the
  effect of a newer source model.
- `PeriodCallback` is the base class of callbacks. `ExportCallback` exports each model,
  `GuardCallback` holds a model back that has become worse, `PruneCallback` removes the
  models of old periods, `MatrixCallback` tests each model on all periods.
- `Report` shows the metrics. Each period is tested before it is trained on.
"""

from tf_ctr.continual.callbacks import ExportCallback, MatrixCallback, PeriodCallback
from tf_ctr.continual.clocks import Level, NotYetError, run_levels
from tf_ctr.continual.guards import GuardCallback
from tf_ctr.continual.loop import run, train_source
from tf_ctr.continual.periods import Period
from tf_ctr.continual.pruning import PruneCallback
from tf_ctr.continual.refresh import Refresh
from tf_ctr.continual.report import Report
from tf_ctr.continual.training import Training

__all__ = [
    "ExportCallback",
    "GuardCallback",
    "Level",
    "MatrixCallback",
    "NotYetError",
    "Period",
    "PeriodCallback",
    "PruneCallback",
    "Refresh",
    "Report",
    "Training",
    "run",
    "run_levels",
    "train_source",
]


def __dir__() -> list[str]:
    return [*__all__]
