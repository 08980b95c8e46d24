"""Latency of served functions, compared fairly."""

import random
import time

import numpy as np
import tensorflow as tf

ROUNDS = 50
WARM_UP_ROUNDS = 10


def interleaved(calls, rounds=ROUNDS) -> dict:
    """Returns the median seconds of each call.

    The calls take turns in an order that is drawn anew each round: in a fixed one,
    what ran before slows a call down or speeds it up by up to a quarter.

    Args:
        calls: `{name: function without arguments}`.
        rounds: How often each is timed.

    Example:

    >>> sorted(interleaved({"a": lambda: None, "b": lambda: None}, rounds=2))
    ['a', 'b']
    """
    names, seconds = list(calls), {name: [] for name in calls}
    order = random.Random(0)
    for i in range(WARM_UP_ROUNDS + rounds):
        order.shuffle(names)
        for name in names:
            start = time.perf_counter()
            calls[name]()
            if i >= WARM_UP_ROUNDS:
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def call_of(signature, columns, batch_size):
    """Returns a function that runs a signature on a batch, and waits for the scores.

    Args:
        signature: A signature of `tf.saved_model.load`.
        columns: `{field: array [N, ...]}`, raw; repeated if there are too few.
        batch_size: Rows of the batch.
    """
    rows = np.arange(batch_size) % len(next(iter(columns.values())))
    tensors = {name: tf.constant(values[rows]) for name, values in columns.items()}
    return lambda: [output.numpy() for output in signature(**tensors).values()]
