"""Two domains as periods of some days each, with what the rows of Table 2 need."""

import dataclasses

import pandas as pd

from pipelines.harness.periods import DOMAIN, SOURCE, TARGET
from tf_ctr.continual import Period
from tf_ctr.datasets import kuairand, synthetic
from tf_ctr.datasets.domains import earlier_clicks
from tf_ctr.datasets.kuairand.files import USER_FLAGS, USER_NUMBERS
from tf_ctr.errors import explain
from tf_ctr.features import Categorical, Schema, Sequence

HISTORIES = {f"{domain}_history": domain for domain in (SOURCE, TARGET)}


@dataclasses.dataclass(frozen=True)
class PeriodData:
    """The periods of two domains.

    Attributes:
        name: Name of the dataset.
        source: The source's `Period`s.
        target: The target's, as many. Both have the columns `domain`, and
            `source_history` and `target_history`: the items that the user clicked
            strictly earlier in either domain.
        schemas: Fitted on the first period of both domains: `"plain"`, the dataset's
            own; `"joint"`, with `domain`; `"histories"`, with `domain` and the two
            histories beside the dataset's one.
        user: The field of the user's id.
        item: The field of the item's id.
        user_fields: The fields that describe the user.
        history: The dataset's own history.
        ids: The fields of ids that fine-tuning may start from.
    """

    name: str
    source: list
    target: list
    schemas: dict
    user: str
    item: str
    user_fields: tuple
    history: str
    ids: tuple

    def joint(self):
        """The target's periods, each with the source's rows."""
        return [
            dataclasses.replace(own, source=other.data)
            for own, other in zip(self.target, self.source, strict=True)
        ]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Where the periods of a dataset come from.

    Attributes:
        load: `load(data_dir, source_tab, target_tab, seed)` returns its `TwoDomains`,
            whose frames have a `day`. Real data is the same for every seed.
        time: The column that says when.
        user_fields: As of `PeriodData`.
        ids: Likewise.
    """

    load: callable
    time: str
    user_fields: tuple
    ids: tuple


def _kuairand(data_dir, source_tab, target_tab, seed):
    """The log, which no seed changes, without 18 of 41 fields: most time is tracing."""
    return kuairand.load(data_dir, source_tab, target_tab, encrypted=False)


def _synthetic(data_dir, source_tab, target_tab, seed):
    """A synthetic world with drift for every seed, which needs no folder."""
    return synthetic.generate(
        source_rows=560_000,
        target_rows=112_000,
        num_users=20_000,
        num_items=5_000,
        num_days=14,
        world=synthetic.WorldOptions(drift=0.3),
        seed=seed,
    )


DATASETS = {
    "kuairand": Dataset(
        _kuairand,
        "time_ms",
        ("user_id", "user_active_degree", *USER_FLAGS, *USER_NUMBERS),
        ("user_id", "video_id", "author_id", "music_id"),
    ),
    "synthetic": Dataset(
        _synthetic,
        "day",
        ("user_id", "city", "age_group"),
        ("user_id", "item_id", "category", "brand"),
    ),
}


def load(name, data_dir, source_tab, target_tab, period_days, seed=0) -> PeriodData:
    """Loads a dataset as periods.

    Args:
        name: Of `DATASETS`.
        data_dir: Its folder.
        source_tab: Of `kuairand`.
        target_tab: Of `kuairand`.
        period_days: Days of a period; days that are left over at the end are too few
            for one, and dropped.
        seed: Of a world that is drawn.

    Raises:
        ValueError: If there are not at least three periods.
    """
    dataset = DATASETS[name]
    data = dataset.load(data_dir, source_tab, target_tab, seed)
    rows = pd.concat(
        [
            frame.assign(**{DOMAIN: domain})
            for domain in (SOURCE, TARGET)
            for _, frame in getattr(data, domain).items()
        ],
        ignore_index=True,
    )
    history = next(iter(data.schema.of_kind(Sequence).values()))
    rows = with_histories(rows, data, dataset.time, history.max_length)
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
        dataset.user_fields,
        history.name,
        dataset.ids,
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


def with_histories(rows, data, time, max_length):
    """Returns the rows with the earlier clicks of their user in either domain.

    Args:
        rows: The rows of both domains, with `domain`.
        data: Their `TwoDomains`.
        time: Column that says when.
        max_length: Clicks that are kept.
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


def schemas(schema, history, frame):
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
