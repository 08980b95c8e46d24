"""Which versions are served under which labels, and how labels move.

A *label* is a name that clients ask for a version by. `canary` is the newest version,
`stable` the one that passed the gate, `previous` the one that was stable before it.

- `promote` moves a label to a version that passes the *gate*: limits on how much worse
  than the stable version it is in AUC, calibration, latency and size. `rollback` moves
  the label back.
- `versions`: the numbered directories, and the lock on them;
- `models_config`: the labels in `models.config`, which the server reads;
- `history`: the promotions in `promotions.json` beside it;
- `moves`: both files changed together.
"""

from tf_ctr.serving.labels.gate import Limits, Measure, measure
from tf_ctr.serving.labels.models_config import read_labels
from tf_ctr.serving.labels.promotion import Promotion, promote, rollback

__all__ = [
    "Limits",
    "Measure",
    "Promotion",
    "measure",
    "promote",
    "read_labels",
    "rollback",
]


def __dir__() -> list[str]:
    return [*__all__]
