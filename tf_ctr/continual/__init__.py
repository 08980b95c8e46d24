"""Training over time: period by period, from the newest source model there is."""

from tf_ctr.continual.clocks import Level, NotYetError, run_levels
from tf_ctr.continual.loop import run, train_source
from tf_ctr.continual.periods import Period
from tf_ctr.continual.report import Report
from tf_ctr.continual.training import Training

__all__ = [
    "Level",
    "NotYetError",
    "Period",
    "Report",
    "Training",
    "run",
    "run_levels",
    "train_source",
]
