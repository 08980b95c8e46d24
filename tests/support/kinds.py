"""A frame with the kinds of fields that `frames.py` lacks, and its schema."""

import numpy as np
import pandas as pd

import tf_ctr
from tests.support.frames import click_frame

# Vectors of the users.
USERS = pd.DataFrame(
    {"user": ["u1", "u2"], "vector": [[0.5, -1.0, 2.0], [1.0, 0.0, 0.3]]}
)


def kinds_frame(rows=24, seed=0):
    """`click_frame`, a vector and a second item; one of each kind is missing."""
    rng = np.random.default_rng(seed + 100)
    frame = click_frame(rows, seed)
    frame["image"] = list(rng.normal(size=(rows, 3)))
    frame["last"] = frame["item"].shift(1, fill_value=999)
    frame["time"] = pd.Timestamp("2024-02-29") + pd.to_timedelta(np.arange(rows), "h")
    frame.loc[4, "time"] = pd.NaT
    frame["tag_weights"] = list(rng.uniform(0.5, 2, (rows, 2)))
    frame.loc[2, "price"] = np.nan
    frame.at[3, "image"] = None
    return frame


def kinds_schema():
    """The schema of `kinds_frame`, fitted."""
    schema = tf_ctr.Schema(
        [
            tf_ctr.Categorical("user", pretrained=USERS),
            tf_ctr.Categorical("item"),
            tf_ctr.Numeric("price", "log", missing_indicator=True),
            tf_ctr.Vector("image", dim=3),
            tf_ctr.Categorical("last", table="item"),
            tf_ctr.TimeOf("hour", column="time"),
            tf_ctr.Cross(("user", "hour"), num_buckets=50),
            tf_ctr.Categorical("tags", multivalent=True, weights="tag_weights"),
        ],
        group="user",
    )
    return schema.fit(kinds_frame())
