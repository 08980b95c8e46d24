"""Reads, checks, compares, labels and asks the versions that `tf_ctr.export` writes.

A *version* is a directory with a number for its name, `savedmodels/dcn/2`, in the
directory of its model. One word for each question about versions:

| word | question that it answers | function, command |
|---|---|---|
| rules | Will TF Serving load the version, and answer every request? | `check` |
| parity | Does it give its Keras model's scores? | `compare_ways`, `parity` |
| differences | What changed from one version to another? | `diff` |
| placement | Which of its operations can run on a GPU? | `placement_report` |
| labels | Which version is `stable`? | `promote`, `rollback`, `drop`, `status` |

`tf_ctr check savedmodels/dcn/2` and its like run them from the command line.

A *signature* is a function of a version that can be called by its name; it takes
*inputs* and gives *outputs*, arrays by name. A *way* loads a version and runs its
signatures; all ways give the same scores. The *reference* is the Keras model whose
scores a version must give, and *columns* are raw rows, an array per field.

- `version.py`: what lies on disk: graph, signatures, model, schema.
- `loaders/`: the ways: this process, a fresh one, a TF 1 session, and C++.
- `reference.py`, `parity.py`, `differences.py`, `placement.py`: the comparisons.
- `rules/`: the rules of TF Serving, a group per file; each breach is a *finding*.
- `labels/`: versions get their numbers and labels, the latter behind a *gate*.
- `wire/`: the formats that requests travel in.
- `client/`: `GrpcClient` and `RestClient`: rows in, click probabilities out.

Labels, gRPC and warm-up requests are messages of the package `tensorflow-serving-api`
(`pip install 'tf_ctr[serving]'`), which is imported when first needed.
"""

from tf_ctr.serving.client.failures import Overloaded
from tf_ctr.serving.client.grpc import GrpcClient
from tf_ctr.serving.client.rest import RestClient
from tf_ctr.serving.differences import Differences, diff
from tf_ctr.serving.labels.overview import Status, status
from tf_ctr.serving.labels.promotion import Promotion, promote, rollback
from tf_ctr.serving.labels.removal import Drop, drop
from tf_ctr.serving.labels.server import Server
from tf_ctr.serving.parity import Parity, compare_ways
from tf_ctr.serving.placement import ops_placement, placement_report
from tf_ctr.serving.rules.conformance import check

__all__ = [
    "Differences",
    "Drop",
    "GrpcClient",
    "Overloaded",
    "Parity",
    "Promotion",
    "RestClient",
    "Server",
    "Status",
    "check",
    "compare_ways",
    "diff",
    "drop",
    "ops_placement",
    "placement_report",
    "promote",
    "rollback",
    "status",
]


def __dir__() -> list[str]:
    """Lists the public names and the rooms."""
    return [*__all__, "client", "labels", "loaders", "rules", "wire"]
