"""Times variants of a step side by side: shuffled order, with an A/A control.

A fixed order of variants biases short calls by up to 25 %: caches, clock speeds and
other work on the machine favour a certain position. So every round runs every variant
once, in a new random order, and ratios are taken within a round. Pass one function
under two names to see the noise: a difference between the two is not an effect.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipelines.harness.arguments import add_numbers, new_file, parser


def timing_parser(
    name: str, description: str, rounds: int, csv: str = "the table"
) -> argparse.ArgumentParser:
    """Returns a parser with the options `--rounds`, `--seed` and `--csv`.

    Args:
        name: Name of the benchmark.
        description: See `pipelines.harness.arguments.parser`.
        rounds: The default of `--rounds`.
        csv: What `--csv` writes.
    """
    program = parser(f"pipelines.benchmarks.{name}", description)
    numbers = [
        ("rounds", rounds, "timed rounds; each runs every variant once"),
        ("seed", 0, "seed of data, weights and orders"),
    ]
    add_numbers(program, numbers)
    program.add_argument(
        "--csv", type=new_file, metavar="PATH", help=f"also write {csv} to this file"
    )
    return program


def interleave(
    variants: Mapping[str, Callable[[], Any]],
    rounds: int,
    seed: int = 0,
    warmup: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> pd.DataFrame:
    """Runs every variant once per round, in shuffled order, and times each call.

    On a terminal, a line on stderr counts the rounds.

    Args:
        variants: `{name: callable}`; each callable takes nothing and returns only when
            its work is done.
        rounds: Number of timed rounds.
        seed: Seed of the orders.
        warmup: Untimed rounds before the first timed one (tracing, caches).
        clock: A function that returns the time in seconds.

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
        if sys.stderr.isatty():
            text = f"\rround {len(rows)} of {warmup + rounds}"
            print(text, end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 30, end="\r", file=sys.stderr, flush=True)
    return pd.DataFrame(rows[warmup:], columns=names).rename_axis("round")


def ratios(frame: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Compares every variant with the reference, round by round.

    Args:
        frame: Seconds, as `interleave` returns them.
        reference: The column that the others are divided by.

    Returns:
        A frame with one row per variant: `seconds`, its median time; `ratio`, the
        median over rounds of its time divided by the reference's in the same round;
        `low` and `high`, the quartiles of that ratio.

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
