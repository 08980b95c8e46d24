"""Two domains as periods of some days, with the columns that the rows need."""

import dataclasses
import pathlib
from collections.abc import Callable

import pandas as pd

from pipelines.harness.periods import DOMAIN, SOURCE, TARGET
from tf_ctr.continual import Period
from tf_ctr.datasets import TwoDomains, earlier_clicks, kuairand, synthetic
from tf_ctr.datasets.kuairand.files import USER_FLAGS, USER_NUMBERS
from tf_ctr.errors import explain
from tf_ctr.features import Categorical, Schema, Sequence

HISTORIES = {f"{domain}_history": domain for domain in (SOURCE, TARGET)}


@dataclasses.dataclass(frozen=True)
class PeriodData:
    """The periods of two domains.

    Attributes:
        name: Name of the data set.
        source: The periods of the source.
        target: The periods of the target, as many. Both have the columns `domain`, and
            `source_history` and `target_history`: the items that the user clicked
            strictly earlier in either domain.
        schemas: Fitted on the first period of both domains: `"plain"`, the data set's
            own; `"joint"`, with `domain`; `"histories"`, with `domain` and with the
            two histories in addition to the data set's own.
        user: The field of the user's id.
        item: The field of the item's id.
        user_fields: The fields that describe the user.
        history: The field of the data set's own history.
        ids: The fields of ids whose tables a row may transfer.
    """

    name: str
    source: list[Period]
    target: list[Period]
    schemas: dict[str, Schema]
    user: str
    item: str
    user_fields: tuple[str, ...]
    history: str
    ids: tuple[str, ...]

    def joint(self) -> list[Period]:
        """Returns the target's periods, each with the source's rows."""
        return [
            dataclasses.replace(own, source=other.data)
            for own, other in zip(self.target, self.source, strict=True)
        ]


@dataclasses.dataclass(frozen=True)
class Roles:
    """A data set that this experiment can take, and the roles of its columns.

    Attributes:
        load: `load(data_dir, source_tab, target_tab, seed)` returns its `TwoDomains`,
            whose frames have a `day`. Real data is the same for every seed.
        time: The column that orders the clicks.
        user_fields: As in `PeriodData`.
        ids: As in `PeriodData`.
    """

    load: Callable[..., TwoDomains]
    time: str
    user_fields: tuple[str, ...]
    ids: tuple[str, ...]


def _kuairand(data_dir, source_tab, target_tab, seed):
    # Without the 18 encrypted fields: with them, most of the time is tracing.
    return kuairand.load(data_dir, source_tab, target_tab, encrypted=False)


def _synthetic(data_dir, source_tab, target_tab, seed):
    return synthetic.generate(
        source_rows=560_000,
        target_rows=112_000,
        num_users=20_000,
        num_items=5_000,
        num_days=14,
        world=synthetic.WorldOptions(drift=0.3),
        seed=seed,
    )


ROLES = {
    "kuairand": Roles(
        _kuairand,
        "time_ms",
        ("user_id", "user_active_degree", *USER_FLAGS, *USER_NUMBERS),
        ("user_id", "video_id", "author_id", "music_id"),
    ),
    "synthetic": Roles(
        _synthetic,
        "day",
        ("user_id", "city", "age_group"),
        ("user_id", "item_id", "category", "brand"),
    ),
}


def load(
    name: str,
    data_dir: pathlib.Path | None,
    source_tab: int,
    target_tab: int,
    period_days: int,
    seed: int = 0,
) -> PeriodData:
    """Loads a data set as periods.

    Args:
        name: A name of `ROLES`.
        data_dir: The folder of the data.
        source_tab: Tab of the source, for `kuairand`.
        target_tab: Tab of the target, for `kuairand`.
        period_days: Days of a period. Days left over at the end, too few for a
            period, are dropped.
        seed: Seed of a synthetic world.

    Raises:
        ValueError: If there are fewer than three periods.
    """
    roles = ROLES[name]
    data = roles.load(data_dir, source_tab, target_tab, seed)
    rows = pd.concat(
        [
            frame.assign(**{DOMAIN: domain})
            for domain in (SOURCE, TARGET)
            for _, frame in getattr(data, domain).items()
        ],
        ignore_index=True,
    )
    history = next(iter(data.schema.of_kind(Sequence).values()))
    rows = with_histories(rows, data, roles.time, history.max_length)
    count = int(rows["day"].max() + 1) // period_days
    if count < 3:
        raise ValueError(
            explain(
                "three or more periods",
                f"{count} of {period_days} days",
                "pass a smaller --period-days",
            )
        )
    source, target = (
        _periods(rows[rows[DOMAIN] == domain], count, period_days)
        for domain in (SOURCE, TARGET)
    )
    first = pd.concat([source[0].read(), target[0].read()], ignore_index=True)
    return PeriodData(
        data.name,
        source,
        target,
        schemas(data.schema, history, first),
        data.schema.group,
        data.item,
        roles.user_fields,
        history.name,
        roles.ids,
    )


def _periods(rows, count, period_days):
    number = rows["day"] // period_days
    return [
        Period(
            i,
            rows[number == i].reset_index(drop=True),
            name=f"days {i * period_days} to {(i + 1) * period_days - 1}",
        )
        for i in range(count)
    ]


def with_histories(
    rows: pd.DataFrame, data: TwoDomains, time: str, max_length: int
) -> pd.DataFrame:
    """Returns the rows with the earlier clicks of their user in either domain.

    Args:
        rows: The rows of both domains, with `domain`.
        data: Their `TwoDomains`.
        time: The column that orders the clicks.
        max_length: How many of the newest clicks to keep.
    """
    users = pd.factorize(rows[data.schema.group])[0]
    found = {}
    for name, domain in HISTORIES.items():
        clicked = (rows[data.schema.label] == 1) & (rows[DOMAIN] == domain)
        items = rows[data.item].to_numpy()
        found[name] = earlier_clicks(
            users, rows[time], items, clicked.to_numpy(), max_length
        )
    return rows.assign(**found)


def schemas(
    schema: Schema, history: Sequence, frame: pd.DataFrame
) -> dict[str, Schema]:
    """Returns the three schemas of `PeriodData`, fitted on `frame`."""
    plain = [field.unfitted() for field in schema.fields]
    joint = [*plain, Categorical(DOMAIN, vocabulary=[SOURCE, TARGET])]
    split = [
        Sequence(name, of=history.of, max_length=history.max_length)
        for name in HISTORIES
    ]
    return {
        name: Schema(fields, schema.label, schema.group).fit(frame)
        for name, fields in (
            ("plain", plain),
            ("joint", joint),
            ("histories", [*joint, *split]),
        )
    }
