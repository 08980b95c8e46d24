"""Rows with two labels, of which the second is not known for all, and their schema."""

import numpy as np
import pandas as pd

from tf_ctr.features import Categorical, Numeric, Schema

ROWS = 60
LABELS = ("click", "buy")
WEIGHTS = {"buy": "w"}


def rows(count: int = ROWS, seed: int = 3) -> pd.DataFrame:
    """Returns rows; a third of the column `buy` is missing, and only clicks buy."""
    generator = np.random.default_rng(seed)
    click = generator.integers(0, 2, count)
    buy = click * generator.integers(0, 2, count).astype("float64")
    buy[generator.random(count) < 1 / 3] = np.nan
    return pd.DataFrame(
        {
            "item": generator.choice(["a", "b", "c"], count),
            "price": generator.normal(size=count),
            "user": generator.integers(0, 9, count),
            "tab": generator.integers(0, 2, count),
            "click": click,
            "buy": buy,
            "w": generator.choice([0.0, 0.5, 1.0, 7.25], count),
        }
    )


def schema(weight: str | dict[str, str] | None = None) -> Schema:
    """Returns the fitted schema of the rows."""
    fields = [Categorical("item"), Numeric("price")]
    return Schema(fields, group="user", weight=weight, labels=LABELS).fit(rows())
