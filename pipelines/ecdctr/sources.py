"""Where natural data and advertisements come from, and how long their periods are."""

import dataclasses

import numpy as np
import pandas as pd

from tf_ctr.datasets import kuairand, synthetic
from tf_ctr.datasets.kuairand import rows as kuairand_rows
from tf_ctr.datasets.negatives import draw_negatives
from tf_ctr.errors import explain

# Parts into which KuaiRand's history before the log is cut, as months of its own.
PARTS = 3


@dataclasses.dataclass(frozen=True)
class Clocks:
    """How long the periods are, in days of event time.

    Attributes:
        month_days: Of TPM.
        week_days: Of CPM.
        ad_days: Of A-CTR.
        start: The first day of the advertisement model's first tested period; a
            multiple of `month_days`.
    """

    month_days: int
    week_days: int
    ad_days: int
    start: int

    def check(self, num_days):
        """Raises unless the periods fit in so many days."""
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
class Dataset:
    """Where the rows of a dataset come from.

    Attributes:
        load: From `(data_dir, pair, seed)` to its `TwoDomains`; no seed changes real
            data.
        earlier: From `data_dir` to frames of natural data before day 0, oldest first,
            with the basic columns.
        basic: The fields of TPM.
        historical: Of these, users and items.
        clocks: Default `Clocks`.
    """

    load: callable
    earlier: callable
    basic: tuple
    historical: tuple
    clocks: Clocks


def _synthetic(data_dir, pair, seed):
    """A world with drift, and users who are there for 12 days, or are not; 20 to 1."""
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
    """The log without 18 of 41 fields: most time is tracing."""
    if pair == "ads":
        return kuairand.load_ads(data_dir, encrypted=False)
    source, target = map(int, pair.split("_"))
    return kuairand.load(data_dir, source, target, encrypted=False)


def _watched_before(data_dir):
    """What users watched long before the log, with as many videos they did not."""
    rows = kuairand_rows.read(data_dir, "chronological", test_days=2, seed=0)
    users = rows.drop_duplicates("user_id")
    # Whose past reaches into the log has none before it.
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
    """Cuts the rows of every user, oldest first, into parts of about one size."""
    groups = users.groupby(users)
    return groups.cumcount() * PARTS // groups.transform("size")


DATASETS = {
    "synthetic": Dataset(
        _synthetic,
        lambda data_dir: [],
        ("user_id", "item_id", "city", "category"),
        ("user_id", "item_id"),
        Clocks(month_days=8, week_days=4, ad_days=1, start=24),
    ),
    "kuairand": Dataset(
        _kuairand,
        _watched_before,
        ("user_id", "video_id"),
        ("user_id", "video_id"),
        Clocks(month_days=6, week_days=2, ad_days=1, start=6),
    ),
}
