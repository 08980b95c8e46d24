"""Which processes train together: the cluster that `TF_CONFIG` describes."""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from tf_ctr.errors import explain

EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The addresses of all workers, and which of them this process is.

    Args:
        addresses: `"host:port"` of each worker; the first one is the chief.
        index: The place of this process among them.
        names: How `TF_CONFIG` names each worker, as `"worker 1"`.
    """

    addresses: tuple[str, ...]
    index: int
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """The number of workers."""
        return len(self.addresses)

    def named(self, index: int) -> str:
        """Returns a worker's name and address, for messages."""
        return f"{self.names[index]} ({self.addresses[index]})"


def read_cluster(environment: Mapping[str, str] | None = None) -> Cluster | None:
    """Returns the cluster of `TF_CONFIG`, or `None` for a process by itself.

    The format is that of
    https://www.tensorflow.org/api_docs/python/tf/distribute/cluster_resolver/TFConfigClusterResolver.
    A `chief` is the first worker; without one, `worker` 0 is the chief.

    Args:
        environment: The environment variables; `None` takes those of the process.

    Returns:
        The cluster. `None` if `TF_CONFIG` is not set, is empty, or has no cluster.

    Raises:
        ValueError: If `TF_CONFIG` does not describe workers, or this process is none.

    Example:

    >>> task = {"type": "worker", "index": 1}
    >>> config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": task}
    >>> cluster = read_cluster({"TF_CONFIG": json.dumps(config)})
    >>> cluster.index, cluster.count, cluster.named(0)
    (1, 2, 'worker 0 (a:1)')
    """
    text = (os.environ if environment is None else environment).get("TF_CONFIG", "")
    if not text.strip():
        return None
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ValueError(_wrong(f"a text that is not JSON ({error})")) from None
    if not isinstance(config, dict):
        raise ValueError(_wrong(text))
    if not config.get("cluster"):
        return None
    addresses, names = _workers(config["cluster"], text)
    task = config.get("task")
    kind, index = (
        (task.get("type"), task.get("index")) if isinstance(task, dict) else (None,) * 2
    )
    name = f"{kind} {index}"
    if name not in names:
        raise ValueError(
            explain(
                f"the task in TF_CONFIG to be one of: {', '.join(names)}",
                f"the task {json.dumps(task)}",
                "give each process its own type and index; they count from 0",
            )
        )
    return Cluster(tuple(addresses), names.index(name), tuple(names))


def _workers(cluster: Any, text: str) -> tuple[list[str], list[str]]:
    if not isinstance(cluster, dict):
        raise ValueError(_wrong(text))
    others = sorted(set(cluster) - {"chief", "worker"})
    if others:
        raise ValueError(
            explain(
                "a TF_CONFIG whose cluster has only a 'chief' and 'worker's",
                f"the roles {', '.join(map(repr, sorted(cluster)))}",
                f"start no process as {others[0]!r}; each worker keeps all tables, and "
                "evaluates its share of the validation rows",
            )
        )
    addresses, names = [], []
    for kind in ("chief", "worker"):
        listed = cluster.get(kind, [])
        if not isinstance(listed, list) or not all(map(_is_address, listed)):
            raise ValueError(_wrong(text))
        addresses += listed
        names += [f"{kind} {i}" for i in range(len(listed))]
    twice = sorted({each for each in addresses if addresses.count(each) > 1})
    if twice or not addresses:
        raise ValueError(
            explain(
                "an address of its own for each worker in TF_CONFIG",
                f"{twice[0]} for several" if twice else "no worker",
                "list one 'host:port' per worker, the same list for all of them",
            )
        )
    return addresses, names


def _is_address(value: Any) -> bool:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return bool(host) and port.isdigit() and 0 < int(port) < 65536


def _wrong(received):
    return explain(f"a TF_CONFIG like {EXAMPLE}", received, "set it as in the example")
