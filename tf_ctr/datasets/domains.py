"""What every dataset of this folder is: two domains, each in three splits."""

import dataclasses

import numpy as np
import pandas as pd

from tf_ctr.features import Schema


@dataclasses.dataclass(frozen=True)
class Splits:
    """The three frames of one domain."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame

    def items(self):
        """Returns the pairs of name and frame, in order."""
        return vars(self).items()


@dataclasses.dataclass(frozen=True)
class TwoDomains:
    """A source and a target domain with one schema for both.

    A frame has the columns of the fields, the label and the group, and may have
    others, such as `day` or `click_probability`, that are never features.

    Attributes:
        name: Name of the dataset.
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
    def fit(cls, name, schema, source, target, item="item_id"):
        """Fits `schema` on the training rows of both domains.

        Args:
            name: Name of the dataset.
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
        """Returns one line per domain and split.

        `shared_users` and `shared_items` are the share of this frame's users
        (items) that the training rows of the other domain know.
        """
        lines = {}
        for domain, other in (("source", self.target), ("target", self.source)):
            for split, frame in getattr(self, domain).items():
                lines[domain, split] = self._line(frame, other.train)
        frame = pd.DataFrame.from_dict(lines, orient="index")
        frame.index.names = ["domain", "split"]
        return frame.astype({"rows": int, "users": int, "items": int})

    def _line(self, frame, other):
        user, item = self.schema.group, self.item
        return {
            "rows": len(frame),
            "users": frame[user].nunique(),
            "items": frame[item].nunique(),
            "click_rate": frame[self.schema.label].mean(),
            "shared_users": self._shared(frame[user], other[user]),
            "shared_items": self._shared(frame[item], other[item]),
        }

    @staticmethod
    def _shared(ids, others):
        # Unique on both sides: pandas walks through strings one by one.
        return ids.drop_duplicates().isin(others.unique()).mean()


def earlier_clicks(user, time, item, clicked, max_length: int) -> np.ndarray:
    """Returns what each row's user had clicked at an earlier time, oldest first.

    Nothing at or after the row's own time is in its history, so the label of a row
    is in no history of the same time, its own included.

    Args:
        user: User of each row, non-negative integers, `[n]`.
        time: Time of each row, integers, `[n]`.
        item: Item of each row, `[n]`.
        clicked: Whether the row's item may enter later histories, `[n]`.
        max_length: The newest clicks that are kept.

    Returns:
        One array of items per row, `[n]`, of dtype object.
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
