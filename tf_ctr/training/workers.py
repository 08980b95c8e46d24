"""Trains one model on many machines, by `model.fit` as on one."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tf_ctr.errors import check_count, explain
from tf_ctr.features import Schema
from tf_ctr.training.agreement import check_alike, check_fit, gathered, share_weights
from tf_ctr.training.cluster import read_cluster
from tf_ctr.training.fit_of_keras import bypass_fit, check_version
from tf_ctr.training.meeting import LostWorkerError, meet
from tf_ctr.training.settings import schema_sum
from tf_ctr.training.strategy import Workers, connect

FIXES = {
    "version of Keras": "install the same versions everywhere",
    "schema": "fit the schema once, save it, and load it on all workers",
}
# How TensorFlow names a task, and how its errors about lost ones read.
TASK = re.compile(r"/job:(\w+)/replica:0/task:(\d+)|/job:(\w+)/task:(\d+)")
LOST = re.compile(r"Collective ops is aborted|CoordinationService|RegisterTask")
# The strategy of this process, once it has met the others.
_strategy: Workers | None = None


@contextlib.contextmanager
def workers(
    schema: Schema | None = None, start_within: int = 600, lost_after: int = 60
) -> Iterator[tf.distribute.Strategy]:
    """Lets the processes that `TF_CONFIG` lists train one model together.

    All run the same program. In the block a model is built, compiled and fitted as
    ever; each worker passes its own rows, in batches of its own, and a step trains on
    the batches of all. With the same number of rows in each, the loss, the metrics and
    the weights are those of one process with all rows in one batch, up to rounding.
    Without `TF_CONFIG`, or with one worker in it, the block changes nothing.

    - *Rows.* `from_rows(..., shard=tf_ctr.training.shard())` deals files out, or a
      worker passes a frame of its own. All need the same number of batches, which is
      checked. `batch_size` counts the rows of one worker.
    - *What travels* are the gradients of the dense weights, and of tables only the rows
      in the batches, all tables in one message (`tf_ctr.optimizers`). Every worker
      keeps the whole model.
    - *Metrics* of an epoch are those of all workers' rows, also in validation. The
      progress bar shows those of this worker.
    - *BatchNorm* takes its statistics of all workers' rows (`synchronized=True`).
    - *Means of means.* Where workers have other numbers of rows in a batch, or of known
      labels, each worker's mean counts the same.
    - *Noise*, such as dropout and the routes of AutoFT, is drawn by each worker for its
      own rows: from the same seed the same noise for all. To draw different noise, call
      `keras.utils.set_random_seed(seed + shard()[0])`; the weights of the chief are
      given to all before the first step.
    - *Files* are written by the chief, worker 0: backups, TensorBoard and `export`. The
      run folder must be on storage that all workers read, as they all resume from it.
    - *Faults.* If a worker is killed, the others end with `LostWorkerError`: at once if
      its connection breaks, else after `lost_after` seconds without a sign of it. Then
      start all again; with `callbacks(run_dir)` they resume at the last backup.

    A worker trains on one device: start one per GPU, each with its own
    `CUDA_VISIBLE_DEVICES`. Enter the block before anything else computes with
    TensorFlow. `model.predict` scores the rows of this worker only.

    Source of the method: `tf.distribute.MultiWorkerMirroredStrategy`,
    https://www.tensorflow.org/tutorials/distribute/multi_worker_with_keras.

    Args:
        schema: The fitted schema; an error says if other workers have another one.
        start_within: Seconds to wait for all workers at the start.
        lost_after: Seconds without a sign of a worker until it counts as lost.

    Yields:
        The `tf.distribute.Strategy`: its `num_replicas_in_sync` is the number of
        workers.

    Raises:
        ValueError: For a wrong argument or `TF_CONFIG`; if the workers have different
            schemas, models, or numbers of batches; or for several GPUs.
        LostWorkerError: If a worker does not start, or ends.
        OSError: If the port of this worker is in use.
        RuntimeError: If TensorFlow has computed before, or Keras is too new.

    Example:

    >>> import keras
    >>> with workers() as strategy:
    ...     model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> strategy.num_replicas_in_sync, shard(), is_chief()
    (1, (0, 1), True)
    """
    check_count("start_within", start_within, 1)
    check_count("lost_after", lost_after, 1)
    cluster = read_cluster()
    if cluster is None or cluster.count == 1:
        yield tf.distribute.get_strategy()
        return
    with _told_who_is_lost(cluster, lost_after):
        strategy = _strategy or _together(cluster, start_within, lost_after, schema)
        if schema is not None:
            check_same("schema", _named(schema), FIXES["schema"])
        with strategy.scope():
            yield strategy


def shard() -> tuple[int, int]:
    """Returns `(index, count)`: which worker this is, and of how many.

    It is `(0, 1)` until `workers` has been entered, and without `TF_CONFIG`.

    Example:

    >>> shard()
    (0, 1)
    """
    if _strategy is None:
        return 0, 1
    return _strategy.cluster.index, _strategy.cluster.count


def is_chief() -> bool:
    """Returns whether this process is the one that writes files: worker 0.

    It is `True` without other workers.

    Example:

    >>> is_chief()
    True
    """
    return shard()[0] == 0


def wait_for_all() -> None:
    """Waits until every worker calls this; returns at once without others."""
    if _strategy is not None:
        gathered(_strategy, None)


def check_same(what: str, value: Any, fix: str) -> None:
    """Raises if a value differs between the workers; each must call this.

    Raises:
        ValueError: If it does.
    """
    if _strategy is not None:
        found = [{what: f"{each}"} for each in gathered(_strategy, value)]
        check_alike(_strategy.cluster, found, {what: fix})


def check_by_itself(function: str) -> None:
    """Raises if this process trains together with others.

    Args:
        function: What trains period by period in one process.

    Raises:
        ValueError: If there are other workers.
    """
    if _strategy is not None and _strategy.cluster.count > 1:
        raise ValueError(
            explain(
                f"one process for {function}",
                f"{_strategy.cluster.count} workers",
                "start one process without TF_CONFIG; or, in the block of workers(), "
                "call model.fit for each period, with a run_dir of its own",
            )
        )


def _together(cluster, start_within, lost_after, schema):
    """Meets the other workers, then starts TensorFlow's part."""
    global _strategy
    check_version(keras.__version__)
    own = {"version of Keras": keras.__version__}
    own["schema"] = _named(schema)
    check_alike(cluster, meet(cluster, own, start_within), FIXES)
    strategy = connect(cluster, start_within, lost_after)
    bypass_fit(lambda each: isinstance(each, Workers), _before_fit)
    _strategy = strategy
    if cluster.index == 0:
        print(f"{cluster.count} workers train together; this is {cluster.named(0)}.")
    return strategy


def _named(schema):
    return "none" if schema is None else f"one with checksum {schema_sum(schema)}"


def _before_fit(model, iterator):
    strategy = model.distribute_strategy
    validating = iterator is getattr(model, "_eval_epoch_iterator", None)
    check_fit(strategy, strategy.cluster, model, iterator.num_batches)
    if not validating:
        _synchronize_batch_norm(model, strategy.cluster)
        share_weights(strategy, strategy.cluster, model)


def _synchronize_batch_norm(model, cluster):
    norms = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.trainable
        and not layer.synchronized
    ]
    for layer in norms:
        layer.synchronized = True
    if norms and cluster.index == 0:
        print(
            f"{len(norms)} BatchNorm layers take the statistics of all workers' rows."
        )


@contextlib.contextmanager
def _told_who_is_lost(cluster, lost_after):
    try:
        yield
    except (tf.errors.OpError, RuntimeError) as error:
        text = str(error)
        if isinstance(error, LostWorkerError) or not LOST.search(text):
            raise
        raise LostWorkerError(
            explain(
                f"all {cluster.count} workers to train until the end",
                f"{_lost_one(cluster, text)} has ended, or gave no sign for "
                f"{lost_after} s",
                "look at its log; then start all workers again, and with "
                "callbacks(run_dir) they resume at the last backup",
            )
        ) from error


def _lost_one(cluster, text):
    for match in TASK.finditer(text):
        kind, index = match[1] or match[3], match[2] or match[4]
        name = f"{kind} {index}"
        if name in cluster.names and cluster.names.index(name) != cluster.index:
            return cluster.named(cluster.names.index(name))
    return "another worker"
