"""Frames for tests: one with every kind of field and its schema, and a Hive folder."""

import numpy as np
import pandas as pd

import tf_ctr


def click_frame(rows=60, seed=0):
    """Raw impressions: string, int, hashed, multi-valued, numeric and sequence."""
    rng = np.random.default_rng(seed)
    items = rng.integers(100, 112, rows)
    return pd.DataFrame(
        {
            "user": [f"u{i}" for i in rng.integers(0, 8, rows)],
            "item": items,
            "device": [f"d{i}" for i in rng.integers(0, 1000, rows)],
            "tags": [list(t) for t in rng.choice(["a", "b", "c"], (rows, 2))],
            "price": rng.lognormal(size=rows),
            "age": rng.uniform(18, 80, rows),
            "history": [list(items[max(0, i - 3) : i]) for i in range(rows)],
            "click": (rng.random(rows) < 0.4).astype(int),
        }
    )


def click_schema(frame=None):
    """The schema of `click_frame`, fitted."""
    schema = tf_ctr.Schema(
        [
            tf_ctr.Categorical("user"),
            tf_ctr.Categorical("item"),
            tf_ctr.Categorical("device", num_buckets=16),
            tf_ctr.Categorical("tags", multivalent=True, max_length=3),
            tf_ctr.Numeric("price"),
            tf_ctr.Numeric("age", transform="quantile", num_bins=4),
            tf_ctr.Sequence("history", of="item", max_length=4),
        ],
        label="click",
        group="user",
    )
    return schema.fit(click_frame() if frame is None else frame)


def small_schema():
    """A schema of three columns of `click_frame`, fitted: cheap to trace and export."""
    schema = tf_ctr.Schema(
        [
            tf_ctr.Categorical("user"),
            tf_ctr.Categorical("item"),
            tf_ctr.Numeric("price"),
        ],
        label="click",
    )
    return schema.fit(click_frame())


def write_days(frame, folder, row_group_size):
    """Writes a frame as a Hive folder, one file for each value of its column `day`."""
    for day, own in frame.groupby("day"):
        (folder / f"day={day}").mkdir()
        own = own.drop(columns="day")
        own.to_parquet(
            folder / f"day={day}" / "a.parquet", row_group_size=row_group_size
        )
    return folder
