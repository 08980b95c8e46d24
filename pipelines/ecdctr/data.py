"""Natural data and advertisements on one time line, as periods of three levels."""

import dataclasses
import pathlib
from collections.abc import Sequence

import pandas as pd

from pipelines.ecdctr.absence import (
    ABSENT,
    IN_CPM,
    days_absent,
    known_to_cpm,
    newest_cpm,
)
from pipelines.ecdctr.sources import SOURCES, Clocks
from pipelines.harness.periods import DOMAIN, SOURCE, TARGET
from tf_ctr.continual import Period
from tf_ctr.features import Categorical, Schema

# CTNet needs the period before this one, and all rows are tested on the same periods.
FIRST_TESTED = 2


@dataclasses.dataclass(frozen=True)
class LevelData:
    """The periods of three levels, whose ends are days.

    Attributes:
        name: Name of the data set.
        months: Natural data for TPM.
        weeks: Natural data for CPM, from a month before the start.
        days: Advertisements; the first period holds all before the start. The columns
            `absent_days` and `known_to_cpm` are explained in
            `pipelines.ecdctr.absence`.
        joint: `days`, with the natural data of the same days.
        schemas: `"basic"`, of TPM; `"plain"`, of CPM and A-CTR; `"joint"`, with
            `domain`. Each is fitted on the first period of its level.
        historical: The fields with historical embeddings.
        month_days: As in `Clocks`.
        week_days: As in `Clocks`.
    """

    name: str
    months: list[Period]
    weeks: list[Period]
    days: list[Period]
    joint: list[Period]
    schemas: dict[str, Schema]
    historical: tuple[str, ...]
    month_days: int
    week_days: int

    def ratio(self) -> float:
        """Returns the natural rows per advertisement, over the periods of `joint`."""
        natural = sum(len(period.source) for period in self.joint)
        return natural / sum(len(period.data) for period in self.joint)

    def weeks_before_start(self) -> list[Period]:
        """Returns the weeks of CPM that end by the start of the tested ads."""
        return [week for week in self.weeks if week.end <= self.days[0].end]

    def sizes(self) -> str:
        """Returns a sentence on the amounts of data behind the numbers of a table."""
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


def load(
    name: str, data_dir: pathlib.Path | None, pair: str, clocks: Clocks, seed: int = 0
) -> LevelData:
    """Loads a data set as the periods of three levels.

    Args:
        name: A name of `SOURCES`.
        data_dir: The folder of the data.
        pair: For `kuairand`: `"ads"`, or `"1_6"` for tab 1 as natural data and tab 6 in
            place of advertisements.
        clocks: The `Clocks`.
        seed: Seed of a synthetic world.
    """
    origin = SOURCES[name]
    data = origin.load(data_dir, pair, seed)
    schema = data.schema
    natural, ads = (
        pd.concat([frame for _, frame in domain.items()], ignore_index=True)
        for domain in (data.source, data.target)
    )
    num_days = 1 + int(max(natural["day"].max(), ads["day"].max()))
    clocks.check(num_days)
    earlier = origin.earlier(data_dir)
    before = [
        frame[[schema.group]].assign(day=i - len(earlier))
        for i, frame in enumerate(earlier)
    ]
    ends = newest_cpm(ads["day"], clocks)
    natural_days = pd.concat([natural[[schema.group, "day"]], *before])
    ads[ABSENT] = days_absent(ads[schema.group], ends, natural_days)
    ads[IN_CPM] = known_to_cpm(ads[ABSENT], ends, clocks)
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
            origin.basic,
            [month.data for month in months if month.end <= clocks.start],
            weeks[0].data,
            days[0].data,
        ),
        origin.historical,
        clocks.month_days,
        clocks.week_days,
    )


def cut(
    rows: pd.DataFrame, begin: int, end: int, length: int, first: int = 0
) -> list[Period]:
    """Cuts rows by their `day` into periods; drops an incomplete last one.

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


def schemas(
    schema: Schema,
    basic: Sequence[str],
    months: Sequence[pd.DataFrame],
    week: pd.DataFrame,
    ads: pd.DataFrame,
) -> dict[str, Schema]:
    """Returns the three schemas of `LevelData`.

    Each is fitted on the first period of its level. All of them know the users and
    items that TPM knows by the start; without that, these would share the historical
    embedding of unseen ids.

    Args:
        schema: The schema of the data set.
        basic: Names of the fields of TPM.
        months: The frames of TPM up to the start.
        week: The first frame of CPM.
        ads: The first frame of A-CTR.
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
