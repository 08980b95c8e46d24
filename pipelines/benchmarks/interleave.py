"""Times variants of a step side by side: shuffled order, with an A/A control.

A fixed order of variants biases short calls by up to 25 %: caches, clock speeds and
neighbours on the machine favour whoever runs in a certain place. So every round runs
every variant once, in an order drawn afresh, and ratios are taken within a round.
Name one function twice to see the noise: what the second name shows is not an effect.
"""

import time

import numpy as np
import pandas as pd


def interleave(variants, rounds, seed=0, warmup=1, clock=time.perf_counter):
    """Runs every variant once a round, in shuffled order, and times each call.

    Args:
        variants: `{name: callable}`; each callable takes nothing and returns only when
            its work is done.
        rounds: Number of timed rounds.
        seed: Seed of the orders.
        warmup: Untimed rounds before the first timed one (tracing, caches).
        clock: Returns the time in seconds.

    Returns:
        A frame of seconds with one row per round and one column per variant.

    Example:

    >>> frame = interleave({"a": lambda: None, "a again": lambda: None}, rounds=3)
    >>> frame.shape
    (3, 2)
    """
    rng = np.random.default_rng(seed)
    names = list(variants)
    rows = []
    for _ in range(warmup + rounds):
        row = {}
        for name in rng.permutation(names):
            start = clock()
            variants[name]()
            row[str(name)] = clock() - start
        rows.append(row)
    return pd.DataFrame(rows[warmup:], columns=names).rename_axis("round")


def ratios(frame, reference):
    """Compares every variant with one of them, round by round.

    Args:
        frame: Seconds, as `interleave` returns them.
        reference: The column every other is divided by.

    Returns:
        A frame with one row per variant: `seconds`, its median time; `ratio`, the
        median over rounds of its time by the reference's in the same round; `low` and
        `high`, the quartiles of that ratio.

    Example:

    >>> seconds = pd.DataFrame({"a": [1.0, 2.0, 1.0], "b": [2.0, 4.0, 3.0]})
    >>> ratios(seconds, "a").loc["b", "ratio"]
    np.float64(2.0)
    """
    relative = frame.div(frame[reference], axis=0)
    return pd.DataFrame(
        {
            "seconds": frame.median(),
            "ratio": relative.median(),
            "low": relative.quantile(0.25),
            "high": relative.quantile(0.75),
        }
    ).rename_axis("variant")


def add_counts(parser, counts):
    """Adds an integer option for each `(name, default, description)`."""
    for name, default, text in counts:
        parser.add_argument(
            f"--{name}",
            type=int,
            default=default,
            metavar="N",
            help=f"{text} (default: {default})",
        )
