"""Which versions are served under which labels, and how labels move.

A *label* is a name that clients ask for a version by. `canary` is a version on trial,
`stable` the one that passed the gate. A server loads every version in the directory,
and moves a label to a version that it has loaded. Until then a label other than
`stable` *waits*.

- `promote` moves a label to a version that passes the *gate*: limits on how much worse
  than the stable version it is in AUC, calibration, latency and size. `rollback` moves
  the label back, `drop` removes a version, `status` shows versions and labels.
- `Server` asks a running server; all four take one.
- `versions`: the numbered directories, and the lock on them;
- `models_config`: the labels in `models.config`, which the server reads;
- `pending`: the labels that wait, in `pending.json` beside it;
- `history`: the promotions in `promotions.json` beside it;
- `moves`: these files changed together;
- `waiting`, `removal`: what takes longer, or cannot be undone.
"""

from tf_ctr.serving.labels.gate import Limits, Measure, measure
from tf_ctr.serving.labels.models_config import read_labels
from tf_ctr.serving.labels.overview import Status, status
from tf_ctr.serving.labels.promotion import Promotion, promote, rollback
from tf_ctr.serving.labels.removal import Drop, drop
from tf_ctr.serving.labels.server import Server

__all__ = [
    "Drop",
    "Limits",
    "Measure",
    "Promotion",
    "Server",
    "Status",
    "drop",
    "measure",
    "promote",
    "read_labels",
    "rollback",
    "status",
]


def __dir__() -> list[str]:
    return [*__all__]
