"""Counts pairs of clicks and non-clicks by group, in little memory.

Rows are sorted by group and score. Without weights, a row with a float32 score is one
whole number of 64 bits: its group, its score, its label. These are sorted in place, so
that 8 bytes per row are all that is needed. Sorted rows are read in blocks.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tf_ctr.metrics.arrays import blocks

# One row of a block: its group, a value to tell equal scores by, the weight of a click,
# the weight of a non-click.
Rows = tuple[np.ndarray, ...]


def count_pairs(
    labels: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None,
    groups: np.ndarray | None,
    num_groups: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns, by group, the weights of clicks, of non-clicks, and of won pairs.

    A pair of a click and a non-click is won if the click has the higher score, and
    half won if they are equal.

    Args:
        labels: Booleans `[B]`.
        scores: Floats without NaN `[B]`.
        weights: Floats `[B]`, or `None` for ones.
        groups: Codes from -1, which is left out, to `num_groups - 1`, at most
            `2**31 - 2`; `None` for one group.
        num_groups: The number of groups G.

    Returns:
        Three arrays of float64 `[G]`.
    """
    clicks, others, won = (np.zeros(num_groups) for _ in range(3))
    # The last run of equal scores may go on in the next block.
    held: tuple[np.ndarray, ...] = ()
    before = 0.0  # The weight of non-clicks in the group of the first run, below it.

    def add(group, click, other, below):
        np.add.at(clicks, group, click)
        np.add.at(others, group, other)
        np.add.at(won, group, click * (below + other / 2))

    for block in _sorted_rows(labels, scores, weights, groups):
        # One entry per run of equal scores in a group, so that ties can count half.
        rows = block
        if held:
            rows = tuple(np.append(a, b) for a, b in zip(held, block, strict=True))
        group, tie, click, other = rows
        runs = _starts(group, tie)
        group, tie = group[runs], tie[runs]
        click, other = np.add.reduceat(click, runs), np.add.reduceat(other, runs)
        first = _starts(group)
        sums = np.cumsum(other) - other
        base = sums[first]
        base[0] -= before
        below = sums - np.repeat(base, np.diff(first, append=len(runs)))
        add(group[:-1], click[:-1], other[:-1], below[:-1])
        held, before = (group[-1:], tie[-1:], click[-1:], other[-1:]), below[-1]
    if held:
        add(held[0], held[2], held[3], before)
    return clicks, others, won


def group_codes(groups: np.ndarray) -> np.ndarray:
    """Returns a code for each row's group, int32 or int64; -1 for a missing group."""
    # Those of `Schema.groups`, which need no factorisation.
    if groups.dtype in (np.int32, np.int64) and groups.min(initial=0) >= -1:
        if groups.max(initial=-1) < len(groups):
            return groups
    codes = pd.factorize(groups)[0].astype(np.int32)
    codes[np.asarray(groups == -1, bool)] = -1
    return codes


def _sorted_rows(
    labels: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None,
    groups: np.ndarray | None,
) -> Iterator[Rows]:
    """Yields the rows with a group in blocks, by group and score."""
    missing = 0 if groups is None else int((groups < 0).sum())
    if weights is None and scores.dtype == np.float32:
        packed = _packed(labels, scores, groups)
        packed.sort()
        for own in blocks(len(packed), missing):
            block = packed[own]
            click = (block & np.uint64(1)).astype(np.float64)
            group = (block >> np.uint64(33)).astype(np.int64) - 1
            yield group, block >> np.uint64(1), click, 1 - click
        return
    order = np.argsort(scores) if groups is None else np.lexsort((scores, groups))
    for own in blocks(len(order), missing):
        at = order[own]
        weight = np.ones(len(at)) if weights is None else weights[at]
        group = np.zeros(len(at), np.int64) if groups is None else groups[at]
        yield group, scores[at], weight * labels[at], weight * ~labels[at]


def _packed(labels, scores, groups):
    """Returns group, score and label of each row as one whole number, uint64 `[B]`."""
    packed = np.empty(len(labels), np.uint64)
    for own in blocks(len(labels)):
        # Adding 0 makes 0 of -0. The bits of negative numbers ascend with their size.
        bits = (scores[own] + np.float32(0)).view(np.uint32)
        negative = bits >> np.uint32(31) == 1
        ascending = np.where(negative, ~bits, bits | np.uint32(1 << 31))
        code = 1 if groups is None else (groups[own].astype(np.int64) + 1)
        high = np.asarray(code, np.uint64) << np.uint64(33)
        low = ascending.astype(np.uint64) << np.uint64(1)
        packed[own] = high | low | labels[own].astype(np.uint64)
    return packed


def _starts(*keys: np.ndarray) -> np.ndarray:
    """Returns the rows at which a run of equal keys starts."""
    changes = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.flatnonzero(np.append(True, changes))
