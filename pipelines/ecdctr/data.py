"""Natural data and advertisements on one line of event time, for three clocks."""

import dataclasses

import numpy as np
import pandas as pd

from pipelines.ecdctr.sources import DATASETS
from pipelines.harness.periods import DOMAIN, SOURCE, TARGET
from tf_ctr.continual import Period
from tf_ctr.features import Categorical, Schema

# CTNet starts with the period before: all rows are tested on the same ones.
FIRST_TESTED = 2

ABSENT, IN_CPM = "absent_days", "known_to_cpm"


@dataclasses.dataclass(frozen=True)
class LevelData:
    """The periods of three levels, whose ends are days.

    Attributes:
        name: Name of the dataset.
        months: Natural data for TPM.
        weeks: Natural data for CPM, from a month before the start.
        days: Advertisements; the first period has all of them before the start. The
            column `absent_days` says how long before the end of the newest CPM the
            user was last in natural data: beyond a month, he is not in the rows that
            CPM was last trained on. Infinite for never. `known_to_cpm` says whether
            CPM was trained on him in any week so far.
        joint: `days`, with the natural data of the same days.
        schemas: `"basic"`, of TPM; `"plain"`, of CPM and A-CTR; `"joint"`, with
            `domain`. Fitted on the first period of each.
        historical: The fields with historical embeddings.
        month_days: As of `Clocks`.
        week_days: Likewise.
    """

    name: str
    months: list
    weeks: list
    days: list
    joint: list
    schemas: dict
    historical: tuple
    month_days: int
    week_days: int

    def ratio(self):
        """Natural rows per advertisement, of the periods of `joint`."""
        natural = sum(len(period.source) for period in self.joint)
        return natural / sum(len(period.data) for period in self.joint)

    def weeks_before_start(self):
        """The weeks of CPM that end by the start of the tested ads."""
        return [week for week in self.weeks if week.end <= self.days[0].end]

    def sizes(self):
        """Returns in a sentence what the numbers of a table rest on."""
        tested = self.days[FIRST_TESTED:]
        return (
            f"{self.name}: natural : ad = {self.ratio():.0f} : 1; "
            f"{_rows(self.months)} natural rows in {len(self.months)} months of TPM, "
            f"{_rows(self.weeks)} in {len(self.weeks)} weeks of CPM; "
            f"{_rows(self.days[:1])} ads before the start, {_rows(tested)} in "
            f"{len(tested)} tested periods"
        )


def _rows(periods):
    return f"{sum(len(period.data) for period in periods):,}"


def load(name, data_dir, pair, clocks, seed=0) -> LevelData:
    """Loads a dataset as the periods of three levels.

    Args:
        name: Of `DATASETS`.
        data_dir: Its folder.
        pair: Of `kuairand`: `"ads"`, or `"1_6"` for natural data of tab 1 and tab 6 in
            place of advertisements.
        clocks: The `Clocks`.
        seed: Of a world that is drawn.
    """
    dataset = DATASETS[name]
    data = dataset.load(data_dir, pair, seed)
    schema = data.schema
    natural, ads = (
        pd.concat([frame for _, frame in domain.items()], ignore_index=True)
        for domain in (data.source, data.target)
    )
    num_days = 1 + int(max(natural["day"].max(), ads["day"].max()))
    clocks.check(num_days)
    earlier = dataset.earlier(data_dir)
    before = [
        frame[[schema.group]].assign(day=i - len(earlier))
        for i, frame in enumerate(earlier)
    ]
    cuts = newest_cpm(ads["day"], clocks)
    natural_days = pd.concat([natural[[schema.group, "day"]], *before])
    ads[ABSENT] = days_absent(ads[schema.group], cuts, natural_days)
    ads[IN_CPM] = known_to_cpm(ads[ABSENT], cuts, clocks)
    months = cut(natural, 0, num_days, clocks.month_days, first=len(earlier))
    past = [
        Period(i, frame, end=i + 1 - len(earlier), name=f"before the log, part {i + 1}")
        for i, frame in enumerate(earlier)
    ]
    weeks = cut(natural, clocks.start - clocks.month_days, num_days, clocks.week_days)
    days, same_days = (
        [
            Period(
                0,
                _between(rows, 0, clocks.start),
                end=clocks.start,
                name=f"days 0 to {clocks.start - 1}",
            ),
            *cut(rows, clocks.start, num_days, clocks.ad_days, first=1),
        ]
        for rows in (ads, natural)
    )
    own, other = (
        [
            dataclasses.replace(each, data=each.data.assign(**{DOMAIN: domain}))
            for each in periods
        ]
        for periods, domain in ((days, TARGET), (same_days, SOURCE))
    )
    months = [*past, *months]
    return LevelData(
        data.name if name == "synthetic" else f"{data.name} {pair}",
        months,
        weeks,
        days,
        [
            dataclasses.replace(ad, source=natural.data)
            for ad, natural in zip(own, other, strict=True)
        ],
        schemas(
            schema,
            dataset.basic,
            [month.data for month in months if month.end <= clocks.start],
            weeks[0].data,
            days[0].data,
        ),
        dataset.historical,
        clocks.month_days,
        clocks.week_days,
    )


def cut(rows, begin, end, length, first=0) -> list:
    """Cuts rows by their `day` into periods; an incomplete last one is dropped.

    Args:
        rows: Frame with `day`.
        begin: The first day.
        end: The day after the last one.
        length: Days of a period.
        first: Number of the first period.
    """
    return [
        Period(
            first + i,
            _between(rows, day, day + length),
            end=day + length,
            name=f"days {day} to {day + length - 1}" if length > 1 else f"day {day}",
        )
        for i, day in enumerate(range(begin, end - length + 1, length))
    ]


def _between(rows, begin, end):
    return rows[rows["day"].between(begin, end - 1)].reset_index(drop=True)


def schemas(schema, basic, months, week, ads) -> dict:
    """Returns the three schemas of `LevelData`.

    They are fitted on the first period of each level. Whom TPM knows by the start, the
    others know too, or their historical embeddings would be those of the unseen.

    Args:
        schema: Of the dataset.
        basic: Names of the fields of TPM.
        months: The frames of TPM by the start.
        week: The first one of CPM.
        ads: The first one of A-CTR.
    """
    plain = [field.unfitted() for field in schema.fields]
    few = [field for field in plain if field.name in basic]
    domain = Categorical(DOMAIN, vocabulary=[SOURCE, TARGET])
    both = pd.concat([week, ads], ignore_index=True)
    labelled = both.assign(**{DOMAIN: SOURCE})
    found = {
        name: Schema(fields, schema.label, schema.group).fit(frame)
        for name, fields, frame in (
            ("basic", few, months[0]),
            ("plain", plain, both),
            ("joint", [*plain, domain], labelled),
        )
    }
    known = found["basic"].extend(iter(months))
    return {
        name: own if name == "basic" else own.union(known)
        for name, own in found.items()
    }


def newest_cpm(days, clocks) -> pd.Series:
    """Returns when the newest CPM ended that there is at the begin of an ad's period.

    Args:
        days: Day of every ad.
        clocks: The `Clocks`. The first CPM ends a week after a month before the start.
    """
    later = (days - clocks.start).clip(lower=0)
    begin = clocks.start + later // clocks.ad_days * clocks.ad_days
    first = clocks.start - clocks.month_days
    return first + (begin - first) // clocks.week_days * clocks.week_days


def days_absent(users, cuts, natural) -> np.ndarray:
    """Returns how many days before its cut each ad's user was last in natural data.

    Args:
        users: User of every ad.
        cuts: Days, likewise.
        natural: Frame of two columns, the user and `day`.

    Returns:
        Days `[n]`, 1 or more, as only days before the cut count; infinite for never.
    """
    found = np.full(len(users), np.inf)
    for cut in cuts.unique():
        earlier = natural[natural["day"] < cut]
        last = earlier.groupby(earlier.columns[0])["day"].max()
        chosen = (cuts == cut).to_numpy()
        found[chosen] = cut - users[chosen].map(last)
    return np.where(np.isnan(found), np.inf, found)


def known_to_cpm(absent, cuts, clocks):
    """Returns whether CPM was trained on each ad's user, in any of its weeks so far.

    CPM goes on from week to week, so that it may know whom its last month has not.

    Args:
        absent: What `days_absent` returns.
        cuts: Days, likewise.
        clocks: The `Clocks`. The weeks begin a month before the start.
    """
    return absent <= cuts - (clocks.start - clocks.month_days)
