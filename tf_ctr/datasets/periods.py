"""Two domains cut into one frame per day, for continual training."""

import copy
import dataclasses

import pandas as pd

from tf_ctr.datasets.domains import TwoDomains
from tf_ctr.errors import explain, unknown_name
from tf_ctr.features import Schema


@dataclasses.dataclass(frozen=True)
class Periods:
    """A source and a target domain, with one frame per day each.

    Attributes:
        name: Name of the data set.
        schema: Fitted on the first days of both domains; later ids are unseen.
        source: The frames of the source, in the order of the days; some may be empty.
        target: The frames of the target, one for each frame of the source.
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
        data: Two domains whose frames have a `day` that counts from 0.
        fit_days: The number of first days to fit a copy of the schema on. The schema of
            `data` does not change.

    Returns:
        The `Periods`, up to the last day of either domain.

    Raises:
        ValueError: If there is no column `day`, or there are fewer than
            `fit_days` + 1 days.
    """
    source, target = (
        pd.concat([frame for _, frame in domain.items()], ignore_index=True)
        for domain in (data.source, data.target)
    )
    if "day" not in source:
        raise ValueError(unknown_name("column", "day", source.columns))
    num_days = 1 + max(source["day"].max(), target["day"].max())
    if not 0 < fit_days < num_days:
        raise ValueError(
            explain(
                f"`fit_days` from 1 to {num_days - 1}, as there are {num_days} days",
                fit_days,
                "leave days to train and test on",
            )
        )
    sources, targets = (
        tuple(
            frame[frame["day"] == day].reset_index(drop=True) for day in range(num_days)
        )
        for frame in (source, target)
    )
    # `fit` replaces what the copy has learned; the original keeps its own.
    schema = copy.copy(data.schema).fit(iter(sources[:fit_days] + targets[:fit_days]))
    return Periods(data.name, schema, sources, targets, data.item)
