"""Two domains with three splits each, as every loader returns them."""

import dataclasses
from collections.abc import ItemsView
from typing import Any

import numpy as np
import pandas as pd

from tf_ctr.features import Schema


@dataclasses.dataclass(frozen=True)
class Splits:
    """The three frames of one domain.

    Attributes:
        train: The rows to train on.
        validation: The rows to choose settings by.
        test: The rows to report metrics of.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame

    def items(self) -> ItemsView[str, pd.DataFrame]:
        """Returns the pairs of name and frame, in order."""
        return vars(self).items()


@dataclasses.dataclass(frozen=True)
class TwoDomains:
    """A source and a target domain with one schema for both.

    A frame has the columns of the fields, the label and the group. Further columns,
    such as `day` or `click_probability`, are never features.

    Attributes:
        name: Name of the data set.
        schema: Fitted on the training rows of both domains, and on nothing else.
        source: The frames of the source domain.
        target: The frames of the target domain.
        item: The column that holds the item.
    """

    name: str
    schema: Schema
    source: Splits
    target: Splits
    item: str = "item_id"

    @classmethod
    def fit(
        cls,
        name: str,
        schema: Schema,
        source: Splits,
        target: Splits,
        item: str = "item_id",
    ) -> "TwoDomains":
        """Fits `schema` on the training rows of both domains.

        Args:
            name: Name of the data set.
            schema: A `Schema` with a group.
            source: The frames of the source domain.
            target: The frames of the target domain.
            item: The column that holds the item.

        Returns:
            The `TwoDomains`.
        """
        schema.fit(iter((source.train, target.train)))
        return cls(name, schema, source, target, item)

    def summary(self) -> pd.DataFrame:
        """Returns a frame with one line per domain and split.

        `shared_users` and `shared_items` are the share of a frame's users (items)
        that also occur in the training rows of the other domain.
        """
        lines = {}
        for domain, other in (("source", self.target), ("target", self.source)):
            for split, frame in getattr(self, domain).items():
                lines[domain, split] = self._line(frame, other.train)
        frame = pd.DataFrame.from_dict(lines, orient="index")
        frame.index.names = ["domain", "split"]
        return frame.astype({"rows": int, "users": int, "items": int})

    def _line(self, frame: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
        def shared(column):
            # Unique on both sides, because pandas compares strings slowly.
            return frame[column].drop_duplicates().isin(other[column].unique()).mean()

        user = self.schema.group
        return {
            "rows": len(frame),
            "users": frame[user].nunique(),
            "items": frame[self.item].nunique(),
            "click_rate": frame[self.schema.label].mean(),
            "shared_users": shared(user),
            "shared_items": shared(self.item),
        }


def earlier_clicks(
    user: np.ndarray | pd.Series,
    time: np.ndarray | pd.Series,
    item: np.ndarray | pd.Series,
    clicked: np.ndarray | pd.Series,
    max_length: int,
) -> np.ndarray:
    """Returns the items that each row's user clicked at an earlier time, oldest first.

    A history holds nothing from the row's own time or later, so no label leaks into a
    history of the same time, not even into the row's own history.

    Args:
        user: User of each row, non-negative integers, `[N]`.
        time: Time of each row, integers, `[N]`.
        item: Item of each row, `[N]`.
        clicked: Whether the row's item may enter later histories, `[N]`.
        max_length: The number of newest clicks to keep.

    Returns:
        One array of items per row, `[N]`, of dtype object.

    Example:

    >>> earlier_clicks([7, 7, 7], [0, 1, 2], [4, 5, 6], [True, True, False], 10)[2]
    array([4, 5])
    """
    user, time = np.asarray(user, np.int64), np.asarray(time, np.int64)
    item, clicked = np.asarray(item), np.asarray(clicked, bool)
    if not len(user):
        return np.empty(0, object)
    # One number per user and time, so that one binary search serves all users.
    span = time.max() - time.min() + 1
    key = user * span + (time - time.min())
    order = np.flatnonzero(clicked)
    order = order[np.argsort(key[order], kind="stable")]
    past, past_key = item[order], key[order]
    stop = np.searchsorted(past_key, key, side="left")
    start = np.searchsorted(past_key, user * span, side="left")
    start = np.maximum(start, stop - max_length)
    histories = np.empty(len(user), object)
    histories[:] = [past[a:b] for a, b in zip(start, stop, strict=True)]
    return histories
