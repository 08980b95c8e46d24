"""Two domains as increments of one day each, for continual training."""

import copy
import dataclasses

import pandas as pd

from tf_ctr.datasets.domains import TwoDomains
from tf_ctr.errors import explain, unknown_name
from tf_ctr.features import Schema


@dataclasses.dataclass(frozen=True)
class Periods:
    """A source and a target domain, one frame per day each.

    Attributes:
        name: Name of the dataset.
        schema: Fitted on the first days of both domains; later ids are unseen.
        source: The source's frames, in the order of the days; some may be empty.
        target: The target's, as many.
        item: The column that holds the item.
    """

    name: str
    schema: Schema
    source: tuple[pd.DataFrame, ...]
    target: tuple[pd.DataFrame, ...]
    item: str = "item_id"

    def summary(self) -> pd.DataFrame:
        """Returns rows and click rate of both domains, one line per day."""
        columns = {}
        for domain in ("source", "target"):
            frames = getattr(self, domain)
            columns[domain, "rows"] = [len(frame) for frame in frames]
            columns[domain, "click_rate"] = [
                frame[self.schema.label].mean() for frame in frames
            ]
        return pd.DataFrame(columns).rename_axis("day")


def daily(data: TwoDomains, fit_days: int) -> Periods:
    """Cuts both domains by their column `day`, across the splits.

    Args:
        data: Two domains whose frames have a `day` from 0 on.
        fit_days: The first days, whose rows the schema is fitted on anew. That of
            `data` stays as it is.

    Returns:
        The `Periods`, up to the last day of either domain.

    Raises:
        ValueError: If there is no `day`, or fewer than `fit_days` + 1 days.
    """
    domains = [
        pd.concat([frame for _, frame in domain.items()], ignore_index=True)
        for domain in (data.source, data.target)
    ]
    if "day" not in domains[0]:
        raise ValueError(unknown_name("column", "day", domains[0].columns))
    num_days = 1 + max(frame["day"].max() for frame in domains)
    if not 0 < fit_days < num_days:
        raise ValueError(
            explain(
                f"`fit_days` from 1 to {num_days - 1}, as there are {num_days} days",
                fit_days,
                "leave days to train and test on",
            )
        )
    source, target = (
        tuple(
            frame[frame["day"] == day].reset_index(drop=True) for day in range(num_days)
        )
        for frame in domains
    )
    # `fit` replaces what the copy knows, and leaves the original's.
    schema = copy.copy(data.schema).fit(iter(source[:fit_days] + target[:fit_days]))
    return Periods(data.name, schema, source, target, data.item)
