"""The strategy of TensorFlow by which workers train together."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

from tf_ctr.errors import explain
from tf_ctr.training.cluster import Cluster


class Workers(tf.distribute.MultiWorkerMirroredStrategy):
    """The strategy of `workers`: each worker trains on its own rows.

    Args:
        cluster: The workers.
    """

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster = cluster
        devices = self.extended.worker_devices
        if len(devices) > 1:
            raise ValueError(
                explain(
                    "one device per worker",
                    f"{len(devices)} devices: {', '.join(devices)}",
                    "start one worker per GPU, with CUDA_VISIBLE_DEVICES=0, 1, ...",
                )
            )
        # TensorFlow sends each new variable from the chief to all, so that one which
        # the chief makes to save a model would wait for the others. `share_weights`
        # does it once, before the first step.
        self.extended._get_variable_creator_initial_value = (
            lambda replica_id, device, primary_var, **given: given["initial_value"]
        )

    def experimental_distribute_dataset(
        self, dataset: tf.data.Dataset, options: Any = None
    ) -> tf.data.Dataset:
        """Returns the dataset as it is: no sharding, no other batch size."""
        return dataset


def connect(cluster: Cluster, start_within: int, lost_after: int) -> Workers:
    """Returns the strategy, once all workers are connected.

    Args:
        cluster: The workers, all of which are there.
        start_within: Seconds until TensorFlow must have connected them.
        lost_after: Seconds without a sign of a worker until it counts as lost.

    Raises:
        RuntimeError: If TensorFlow has computed before in this process.
        ValueError: If this worker has several devices.
    """
    _heed(cluster, start_within, lost_after)
    try:
        with _deadline(cluster, start_within):
            return Workers(cluster)
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise RuntimeError(
            explain(
                "to enter workers() before anything computes with TensorFlow",
                "a process in which tensors were made before",
                "move the datasets and models of the program into the block",
            )
        ) from error


def _heed(cluster, start_within, lost_after):
    """Configures the service by which TensorFlow notices that a worker is gone.

    As `MultiWorkerMirroredStrategy` does itself, with times of our own.
    """
    kinds = [name.split()[0] for name in cluster.names]
    message = context.coordination_config_pb2.CoordinatedJob
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{kinds[0]}/replica:0/task:0",
        cluster_register_timeout_in_ms=start_within * 1000,
        heartbeat_timeout_in_ms=lost_after * 1000,
        coordinated_jobs=[
            message(name=kind, num_tasks=kinds.count(kind))
            for kind in dict.fromkeys(kinds)
        ],
    )


@contextlib.contextmanager
def _deadline(cluster: Cluster, start_within: int) -> Iterator[None]:
    """Ends the process if a worker that was there is lost while TensorFlow starts.

    TensorFlow then waits without an end, in C++, where no exception can reach it.
    """

    def end():
        print(
            explain(
                f"TensorFlow to connect {cluster.count} workers in {start_within} s",
                "no answer from one of them; it has ended, or its port is not reached",
                "look at the logs of the others, and start all again",
            ),
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)

    timer = threading.Timer(start_within, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
