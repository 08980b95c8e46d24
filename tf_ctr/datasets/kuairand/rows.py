"""The rows of KuaiRand-Pure with time, split and histories, and their schema."""

import os
from collections.abc import Sequence as SequenceOf

import numpy as np
import pandas as pd

from tf_ctr.datasets.checks import find_folder
from tf_ctr.datasets.domains import earlier_clicks
from tf_ctr.datasets.kuairand import files
from tf_ctr.datasets.tfds_rows import prepared
from tf_ctr.features import Categorical, Numeric, Schema, Sequence

NUM_DAYS = 14
HISTORY_LENGTH = 50
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
# China's clock, in which the log's 14 days begin on 2022-04-25.
ZONE_MS, FIRST_DAY = 8 * HOUR_MS, 19_107


def read(
    data_dir: str | os.PathLike[str] | None, split: str, test_days: int, seed: int
) -> pd.DataFrame:
    """Reads the impressions; the arguments are those of `kuairand.load`.

    Returns:
        The rows in the order of time with `history`, `hour`, `weekday`, `day` and
        `split` (0 training, 1 validation, 2 test).
    """
    folder = find_folder(data_dir, "kuairand-pure")
    if folder is None:
        rows = prepared("kuairand_pure", "tf_ctr.datasets.kuairand.tfds", files.KINDS)
        key = ["time_ms", "user_id", "video_id"]
        rows = rows.sort_values(key, ignore_index=True)
    else:
        rows = files.from_folder(folder)
    local = rows["time_ms"] + ZONE_MS
    day = local // DAY_MS
    rows["hour"] = local // HOUR_MS % 24
    # 1970 began on a Thursday.
    rows["weekday"] = (day + 3) % 7
    # The log begins in the last hour before its first day; that hour counts as day 0.
    rows["day"] = (day - FIRST_DAY).clip(0, NUM_DAYS - 1)
    if split == "random":
        order = np.random.default_rng(seed).permutation(len(rows))
        bounds = [0.8 * len(rows), 0.9 * len(rows)]
        rows["split"] = np.searchsorted(bounds, order, side="right")
    else:
        left = NUM_DAYS - 1 - rows["day"]
        rows["split"] = np.where(left < test_days, 2, left < 2 * test_days)
    known = rows["split"] == 0 if split == "random" else True
    rows["history"] = histories(rows, (rows["is_click"] == 1) & known)
    return rows


def histories(rows: pd.DataFrame, clicked: np.ndarray | pd.Series) -> np.ndarray:
    """Returns the earlier clicks of every row's user, oldest first.

    The videos that a user watched before the log all get the time of the newest: only
    later rows have them in their history.

    Args:
        rows: Frame with `user_id`, `video_id`, `time_ms`, `long_watched` and
            `long_watched_until`.
        clicked: Which rows enter later histories, `[N]`.

    Returns:
        One array of videos per row, `[N]`, of dtype object.
    """
    users = rows.drop_duplicates("user_id")
    watched = users["long_watched"].tolist()
    times = users["long_watched_until"]
    count = [len(videos) for videos in watched]
    found = earlier_clicks(
        np.concatenate([np.repeat(users["user_id"], count), rows["user_id"]]),
        np.concatenate([np.repeat(times, count), rows["time_ms"]]),
        np.concatenate([*watched, rows["video_id"]]).astype(np.int64),
        np.concatenate([np.ones(sum(count), bool), clicked]),
        HISTORY_LENGTH,
    )
    return found[sum(count) :]


def schema(context: SequenceOf[str], encrypted: bool) -> Schema:
    """Returns the schema, not yet fitted.

    Args:
        context: Names of further categorical fields.
        encrypted: Whether the encrypted features of users are fields.
    """
    codes = files.ENCRYPTED if encrypted else ()
    users = ("user_id", "user_active_degree", *files.USER_FLAGS, *codes)
    videos = ("video_id", "author_id", "upload_type", "music_id", "music_type")
    names = (*users, *videos, *context, "hour", "weekday")
    numbers = (*files.USER_NUMBERS, "video_duration")
    fields = [
        *(Categorical(name) for name in names),
        Categorical("tag", multivalent=True),
        *(Numeric(name, transform="quantile", num_bins=10) for name in numbers),
        Sequence("history", of="video_id", max_length=HISTORY_LENGTH),
    ]
    return Schema(fields, label="is_click", group="user_id")
