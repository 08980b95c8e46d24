"""Deals the parts of rows to workers, with the same number of batches for each."""

import heapq
import numbers
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from tf_ctr.errors import explain


class _HasRows(Protocol):
    def counted(self) -> int: ...


Counted = TypeVar("Counted", bound=_HasRows)


def check_shard(shard: Any) -> tuple[int, int]:
    """Returns `(index, count)`; raises unless it is the shard of a worker.

    Raises:
        ValueError: If it is no pair, or not `0 <= index < count`.
    """
    pair = isinstance(shard, tuple | list) and len(shard) == 2
    whole = pair and all(isinstance(each, numbers.Integral) for each in shard)
    if not whole or not 0 <= shard[0] < shard[1]:
        raise ValueError(
            explain(
                "a `shard` as (index, count), with 0 <= index < count",
                repr(shard),
                "pass shard=(0, 2) to the first of two workers, (1, 2) to the other",
            )
        )
    return int(shard[0]), int(shard[1])


def own_parts(
    parts: Sequence[Counted], shard: tuple[int, int], batch_size: int, full: bool
) -> tuple[list[Counted], int]:
    """Returns the parts of one worker, and the number of batches that each worker has.

    Every worker computes the same deal, from the numbers of rows. The number of batches
    is that of the worker with the fewest rows; what the others have beyond it is left
    out, and a line says how much.

    Args:
        parts: All parts; a number of rows that is not known is counted.
        shard: The worker's index, and how many there are.
        batch_size: Rows per batch.
        full: Whether only full batches count.

    Raises:
        ValueError: If a worker would have no batch.
    """
    index, count = shard
    sizes = [part.counted() for part in parts]
    hands = deal(sizes, count)
    rows = [sum(sizes[place] for place in hand) for hand in hands]
    batches = min(
        each // batch_size if full else -(-each // batch_size) for each in rows
    )
    if not batches:
        raise ValueError(
            explain(
                f"a batch of {batch_size} rows for each of {count} workers",
                f"{sum(rows)} rows in {len(parts)} row groups or files of text",
                "write more and smaller row groups, or use fewer workers",
            )
        )
    left_out = max(0, rows[index] - batches * batch_size)
    print(
        f"Shard {index} of {count}: {rows[index]:,} of {sum(rows):,} rows, in "
        f"{batches:,} batches like every shard; {left_out:,} rows are left out."
    )
    return [parts[place] for place in hands[index]], batches


def deal(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Returns the places of the parts of each worker, in order; sums are about equal.

    Each part, the largest first, goes to the worker with the fewest rows so far: a
    greedy rule whose largest sum is at most 4/3 of the best possible one (Graham,
    "Bounds on multiprocessing timing anomalies", 1969, theorem 2).

    Example:

    >>> deal([5, 3, 3, 1], 2)
    [[0, 3], [1, 2]]
    """
    loads = [(0, worker) for worker in range(count)]
    hands: list[list[int]] = [[] for _ in range(count)]
    for place in sorted(range(len(sizes)), key=lambda place: (-sizes[place], place)):
        rows, worker = heapq.heappop(loads)
        hands[worker].append(place)
        heapq.heappush(loads, (rows + sizes[place], worker))
    return [sorted(hand) for hand in hands]
