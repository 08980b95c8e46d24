"""Makes sure that all workers train the same model, on the same number of batches."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.training.cluster import Cluster
from tf_ctr.training.settings import differences, model_settings, settings_sum


def check_alike(
    cluster: Cluster, found: Sequence[Mapping[str, str]], fixes: Mapping[str, str]
) -> None:
    """Raises unless all workers have the same values.

    Args:
        cluster: The workers.
        found: The values of each worker.
        fixes: The names of the values to compare, and what to do if they differ.

    Raises:
        ValueError: For the first value that differs; it names the workers.

    Example:

    >>> cluster = Cluster(("a:1", "b:1"), 0, ("worker 0", "worker 1"))
    >>> check_alike(cluster, [{"schema": "x"}, {"schema": "y"}], {"schema": "save it"})
    Traceback (most recent call last):
    ValueError: Expected the same schema on all 2 workers.
    Received: x on worker 0 (a:1); y on worker 1 (b:1).
    Fix: save it.
    """
    for name, fix in fixes.items():
        workers_of: dict[str, list[str]] = {}
        for index, values in enumerate(found):
            workers_of.setdefault(values.get(name, "none"), []).append(
                cluster.named(index)
            )
        if len(workers_of) > 1:
            said = "; ".join(
                f"{value} on {', '.join(names)}" for value, names in workers_of.items()
            )
            expected = f"the same {name} on all {cluster.count} workers"
            raise ValueError(explain(expected, said, fix))


def check_fit(
    strategy: tf.distribute.Strategy,
    cluster: Cluster,
    model: keras.Model,
    batches: int | None,
) -> None:
    """Raises unless all workers are about to train the same model equally often.

    A worker with fewer batches would leave the others waiting for it in mid-epoch.

    Args:
        strategy: The strategy of `workers`.
        cluster: The workers.
        model: A compiled model.
        batches: Batches per epoch of this worker; `None` if that is not known.

    Raises:
        ValueError: If the number of batches is not known, if the workers differ, or if
            a step of the model is several.
    """
    if model.steps_per_execution > 1:
        # TensorFlow cannot send messages in the loop that Keras makes of them.
        raise ValueError(
            explain(
                "steps_per_execution=1 on several workers",
                model.steps_per_execution,
                "leave it out of model.compile",
            )
        )
    settings = json.loads(json.dumps(model_settings(model), default=str))
    count = "an unknown number" if batches is None else f"{batches:,}"
    own = {"number of batches": count, "model": settings_sum(settings)}
    found = gathered(strategy, own)
    if len({each["model"] for each in found}) > 1:
        everyone = gathered(strategy, settings)
        _raise_for_models(cluster, everyone)
    if any(each["number of batches"].startswith("an unk") for each in found):
        raise ValueError(
            explain(
                "batches whose number is known, as all workers end an epoch together",
                f"batches without one on {cluster.named(cluster.index)}"
                if batches is None
                else "batches without one on another worker",
                "read files by from_rows(..., shard=tf_ctr.training.shard()), pass "
                "steps_per_epoch, or use dataset.apply(tf.data.experimental."
                "assert_cardinality(count))",
            )
        )
    fix = (
        "read the same files by from_rows(..., shard=tf_ctr.training.shard()), which "
        "gives every worker as many batches, or cut the others with dataset.take(count)"
    )
    check_alike(cluster, found, {"number of batches": fix})


def share_weights(
    strategy: tf.distribute.Strategy, cluster: Cluster, model: keras.Model
) -> None:
    """Gives all workers the weights and the optimizer of the chief, where they differ.

    The seeds of dropout and of other noise stay those of each worker.

    Args:
        strategy: The strategy of `workers`.
        cluster: The workers.
        model: The model.
    """
    variables = list(model.weights)
    if model.optimizer is not None and model.optimizer.built:
        variables += model.optimizer.variables
    sums = gathered(strategy, [_bits(each) for each in variables])
    differing = [
        each
        for each, own in zip(variables, zip(*sums, strict=True), strict=True)
        if len(set(own)) > 1
    ]
    for variable in differing:
        value = tf.convert_to_tensor(variable.value)
        if cluster.index:
            value = tf.zeros_like(value)
        variable.assign(strategy.reduce("SUM", value, axis=None))
    if differing and cluster.index == 0:
        print(
            f"All workers start with the weights of {cluster.named(0)}: others had "
            f"other values in {len(differing)} of {len(variables)} variables."
        )


def gathered(strategy: tf.distribute.Strategy, value: Any) -> list[Any]:
    """Returns the values of all workers, in their order; each must call it.

    Args:
        strategy: The strategy of `workers`.
        value: The JSON-like value of this worker.
    """
    text = json.dumps(value) + "\n"  # JSON escapes newlines.
    codes = np.frombuffer(text.encode(), np.uint8).astype("int32")
    everyone = _gather(strategy)(tf.constant(codes))
    lines = everyone.numpy().astype(np.uint8).tobytes().decode().splitlines()
    return [json.loads(line) for line in lines]


@functools.cache
def _gather(strategy):
    """Like `strategy.gather`, which traces a new function in every call."""

    def of_replica(codes):
        # An argument has no device yet, which gathering asks for.
        own = tf.identity(codes)
        return tf.distribute.get_replica_context().all_gather(own, axis=0)

    return tf.function(
        lambda codes: strategy.run(of_replica, args=(codes,)),
        input_signature=[tf.TensorSpec([None], tf.int32)],
    )


def _raise_for_models(cluster, everyone):
    for index, settings in enumerate(everyone):
        found = differences(everyone[0], settings)
        if found:
            raise ValueError(
                explain(
                    f"the same model on all {cluster.count} workers",
                    f"from {cluster.named(0)} to {cluster.named(index)}: "
                    f"{'; '.join(found)}",
                    "run the same program with the same schema on all of them",
                )
            )


def _bits(variable):
    """The sum of the bits of a variable, to compare it without sending it."""
    value = np.ascontiguousarray(variable.numpy())
    return int(value.reshape(-1).view(f"u{value.dtype.itemsize}").sum(dtype="uint64"))
