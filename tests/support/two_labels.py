"""Rows with two labels, of which one is not known for all, and models of both."""

import keras
import numpy as np
import pandas as pd

from tests.support.joint_models import randomise
from tf_ctr.features import Categorical, Numeric, Schema
from tf_ctr.joint import BY_LABEL

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


# Smooth activations: no weight is without a gradient by chance.
ARGUMENTS = {
    "aitm": {"tower_units": (5, 4)},
    "esmm": {"tower_units": (5,)},
    "mmoe": {"num_experts": 3, "expert_units": (6, 5), "tower_units": (4,)},
    "ple": {"expert_units": (6, 5), "tower_units": (4,)},
    "share_bottom": {"bottom_units": (6,), "tower_units": (4,)},
}


def build(name: str, schema: Schema, **arguments: object) -> keras.Model:
    """Returns the joint model `name` by label, small and with random weights."""
    arguments = {
        "activation": "tanh",
        "embedding_dim": 4,
        **ARGUMENTS[name],
    } | arguments
    model = BY_LABEL[name](schema, **arguments)
    randomise(model)
    return model
