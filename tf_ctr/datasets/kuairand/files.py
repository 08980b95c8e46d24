"""The files of KuaiRand-Pure as one frame of impressions."""

import os
import pathlib

import numpy as np
import pandas as pd

from tf_ctr.datasets.checks import join, read_table

LOG = "log_standard_4_25_to_5_08_pure.parquet"
USERS = "user_features_pure.csv"
VIDEOS = "video_features_basic_pure.csv"
HISTORY = "user_history_before_4_25.parquet"
FIX = (
    "put the files of KuaiRand-Pure (https://kuairand.com) in a folder kuairand-pure/ "
    "and pass the folder that holds it as data_dir or name it in TF_CTR_DATA"
)

USER_FLAGS = ("is_live_streamer", "is_video_author")
USER_NUMBERS = (
    "follow_user_num",
    "fans_user_num",
    "friend_user_num",
    "register_days",
)
ENCRYPTED = tuple(f"onehot_feat{i}" for i in range(18))
# Only what is known at the impression, and the label.
KINDS = {
    **dict.fromkeys(("user_id", "video_id", "time_ms", "tab", "is_click"), "int64"),
    "user_active_degree": "str",
    **dict.fromkeys((*USER_FLAGS, *USER_NUMBERS, *ENCRYPTED), "int64"),
    "long_watched": "int64[]",
    "long_watched_until": "int64",
    **dict.fromkeys(("video_type", "upload_type"), "str"),
    **dict.fromkeys(("author_id", "music_id", "music_type"), "int64"),
    "video_duration": "float64",
    "tag": "int64[]",
}


def from_folder(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Reads the log of 14 days with the features of users and videos.

    The log repeats 5,885 impressions, nearly all of tab 6. Each is kept once, because a
    random split would put copies into training and test. Columns that are only known
    after the impression are left out, and so are constant columns, ranges of numbers
    that have their own columns, and the log's `date` and `hourmin`, which are up to
    three hours ahead of `time_ms` and differ among copies of an impression.

    Args:
        folder: The folder `kuairand-pure`.

    Returns:
        One row per impression in the order of time, with the columns `KINDS`.
        `long_watched` holds the videos that the user watched for long before the log
        begins, oldest first. The newest was watched at `long_watched_until` or
        earlier; -1 if none is known.

    Raises:
        ValueError: For a file in another format.
        FileNotFoundError: If a file is missing.
    """
    folder = pathlib.Path(folder)
    key = ["time_ms", "user_id", "video_id"]
    log = read_table(folder / LOG, [*key, "tab", "is_click"], FIX)
    log = log.sort_values(key, kind="stable").drop_duplicates(key, ignore_index=True)
    # `join` needs keys of one type.
    log = log.astype("int64")
    rows = join(log, _users(folder), folder / USERS)
    rows = join(rows, _videos(folder), folder / VIDEOS)
    rows = rows.fillna({n: -1 for n, kind in KINDS.items() if kind == "int64"})
    return rows.astype({n: kind for n, kind in KINDS.items() if "[]" not in kind})[
        list(KINDS)
    ]


def _users(folder):
    names = ["user_id", "user_active_degree", *USER_FLAGS, *USER_NUMBERS, *ENCRYPTED]
    users = read_table(folder / USERS, names, FIX)
    past = read_table(
        folder / HISTORY, ["user_id", "long_watch_seq", "last_time_ms"], FIX
    )
    past = past.set_index("user_id")
    users["long_watched_until"] = users["user_id"].map(past["last_time_ms"])
    watched, nothing = past["long_watch_seq"].to_dict(), np.empty(0, np.int64)
    users["long_watched"] = [
        np.asarray(watched.get(user, nothing), np.int64) for user in users["user_id"]
    ]
    return users


def _videos(folder):
    names = ["video_id", "author_id", "video_type", "upload_type", "music_id"]
    names += ["music_type", "video_duration", "tag"]
    videos = read_table(folder / VIDEOS, names, FIX)
    texts = ["video_type", "upload_type"]
    videos[texts] = videos[texts].fillna("")
    # If no video has two tags, pandas reads the column as numbers.
    tags = videos["tag"].astype("str").fillna("").str.removesuffix(".0")
    videos["tag"] = [
        np.array([tag for tag in line.split(",") if tag], np.int64) for line in tags
    ]
    return videos
