"""Where natural data and advertisements come from, and how long their periods are."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import pandas as pd

from tf_ctr.datasets import TwoDomains, draw_negatives, kuairand, synthetic
from tf_ctr.datasets.kuairand import rows as kuairand_rows
from tf_ctr.errors import explain

# KuaiRand's history before the log is cut into so many parts, a month of TPM each.
PARTS = 3


@dataclasses.dataclass(frozen=True)
class Clocks:
    """How long the periods are, in days of event time.

    Attributes:
        month_days: Days of a period of TPM.
        week_days: Days of a period of CPM.
        ad_days: Days of a period of A-CTR, the advertisement model.
        start: The first day of A-CTR's first tested period, a multiple of
            `month_days`.
    """

    month_days: int
    week_days: int
    ad_days: int
    start: int

    def check(self, num_days: int) -> None:
        """Raises unless the periods fit into `num_days`."""
        whole = self.month_days % self.week_days == self.start % self.month_days == 0
        if not whole or not 0 < self.start <= num_days - 2 * self.ad_days:
            raise SystemExit(
                explain(
                    "a month of whole weeks, a start after whole months, and two "
                    f"periods of advertisements left of {num_days} days",
                    self,
                    "pass other --month-days, --week-days, --ad-days or --start",
                )
            )


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set that this experiment can take.

    Attributes:
        load: From `(data_dir, pair, seed)` to its `TwoDomains`; no seed changes real
            data.
        earlier: From `data_dir` to frames of natural data before day 0, oldest first,
            with the basic columns.
        basic: The fields of TPM.
        historical: The fields of `basic` with historical embeddings, user and item.
        clocks: The default `Clocks`.
    """

    load: Callable[..., TwoDomains]
    earlier: Callable[[pathlib.Path | None], list[pd.DataFrame]]
    basic: tuple[str, ...]
    historical: tuple[str, ...]
    clocks: Clocks


def _synthetic(data_dir, pair, seed):
    """Draws a world with drift, 20 to 1; users come and go in spells of 12 days."""
    return synthetic.generate(
        source_rows=480_000,
        target_rows=24_000,
        num_users=3_000,
        num_items=2_000,
        num_days=48,
        world=synthetic.WorldOptions(user_overlap=1.0, presence=0.4, spell_days=12),
        seed=seed,
    )


def _kuairand(data_dir, pair, seed):
    # Without the 18 encrypted fields: with them, most of the time is tracing.
    if pair == "ads":
        return kuairand.load_ads(data_dir, encrypted=False)
    source, target = map(int, pair.split("_"))
    return kuairand.load(data_dir, source, target, encrypted=False)


def _watched_before(data_dir):
    """Returns videos watched before the log, and as many drawn as negatives."""
    rows = kuairand_rows.read(data_dir, "chronological", test_days=2, seed=0)
    users = rows.drop_duplicates("user_id")
    # A past that reaches into the log is not known before the log begins.
    users = users[users["long_watched_until"] < rows["time_ms"].min()]
    past = users[["user_id", "long_watched"]].explode("long_watched").dropna()
    past["part"] = _part(past["user_id"])
    videos, items = np.unique(past["long_watched"].astype("int64"), return_inverse=True)
    codes = pd.factorize(past["user_id"])[0]
    generator = np.random.default_rng(0)
    drawn = draw_negatives(generator, codes, np.bincount(items), codes, items)
    clicked = past[["user_id", "part"]].assign(video_id=videos[items], is_click=1)
    ignored = past[["user_id", "part"]].assign(video_id=videos[drawn], is_click=0)
    both = pd.concat([clicked, ignored], ignore_index=True)
    return [both[both["part"] == part].reset_index(drop=True) for part in range(PARTS)]


def _part(users):
    """Returns the part of each row: every user's rows, oldest first, in equal parts."""
    groups = users.groupby(users)
    return groups.cumcount() * PARTS // groups.transform("size")


SOURCES = {
    "synthetic": Source(
        _synthetic,
        lambda data_dir: [],
        ("user_id", "item_id", "city", "category"),
        ("user_id", "item_id"),
        Clocks(month_days=8, week_days=4, ad_days=1, start=24),
    ),
    "kuairand": Source(
        _kuairand,
        _watched_before,
        ("user_id", "video_id"),
        ("user_id", "video_id"),
        Clocks(month_days=6, week_days=2, ad_days=1, start=6),
    ),
}
