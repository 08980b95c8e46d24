"""Samples negatives for data that has only positives."""

import numpy as np
from numpy.typing import ArrayLike

from tf_ctr.errors import explain


def draw_negatives(
    generator: np.random.Generator,
    users: ArrayLike,
    weights: ArrayLike,
    known_users: ArrayLike,
    known_items: ArrayLike,
) -> np.ndarray:
    """Draws, for each of `users`, an item that this user never interacted with.

    Items are drawn with replacement, in proportion to their weights.

    Args:
        generator: NumPy generator.
        users: Codes of users, `[N]`; repeat a user to draw several items.
        weights: Non-negative integers, one per item; weight 0 is never drawn.
        known_users: User of each interaction, codes, `[M]`.
        known_items: Item of each interaction, codes that index `weights`, `[M]`.

    Returns:
        Codes of items, `[N]`.

    Raises:
        ValueError: If a user already knows every item that has a weight.

    Example:

    >>> import numpy as np
    >>> generator = np.random.default_rng(0)
    >>> draw_negatives(generator, [0, 0, 1], [1, 5, 1], [0, 0, 1], [0, 1, 1])[:2]
    array([2, 2])
    """
    weights = np.asarray(weights, np.int64)
    users = np.asarray(users, np.int64)
    # One number per user and item, so that one lookup works for all users.
    known_users = np.asarray(known_users, np.int64)
    known_items = np.asarray(known_items, np.int64)
    known = np.unique(known_users * len(weights) + known_items)
    _check_possible(users, weights, known)
    ends = weights.cumsum()
    items = np.empty(len(users), np.int64)
    open_rows = np.arange(len(users))
    # Rejection: a row whose item is known is drawn again, until none is left.
    while len(open_rows):
        draws = generator.integers(ends[-1], size=len(open_rows))
        items[open_rows] = np.searchsorted(ends, draws, side="right")
        pairs = users[open_rows] * len(weights) + items[open_rows]
        open_rows = open_rows[np.isin(pairs, known)]
    return items


def _check_possible(users, weights, known):
    owners, items = np.divmod(known, len(weights))
    count = np.bincount(owners[weights[items] > 0], minlength=users.max(initial=0) + 1)
    full = users[count[users] == np.count_nonzero(weights)]
    if len(full):
        raise ValueError(
            explain(
                "an item to draw for every user that this user never interacted with",
                f"user of code {full[0]} knows all {np.count_nonzero(weights)} items",
                "drop such users, or take data with more items",
            )
        )
