"""Tiny folders of files in the format of the real data sets, and where those are."""

import gzip
import json
import os
import pathlib

import numpy as np
import pandas as pd
import pytest

REPOSITORY = pathlib.Path(__file__).parents[2]
# 2022-04-25 in China.
LOG_START = 1_650_816_000_000
DAY_MS = 86_400_000


def real_folder(name):
    """Returns the folder of real data, or skips the test and says how to name it."""
    root = os.environ.get("TF_CTR_DATA") or REPOSITORY.parent / "shared" / "data"
    if not (pathlib.Path(root) / name).is_dir():
        pytest.skip(f"no {name}: set TF_CTR_DATA to the folder that holds {name}/")
    return root


def rows(domain):
    return pd.concat([frame for _, frame in domain.items()], ignore_index=True)


def assert_same_domains(first, second):
    for one, other in ((first.source, second.source), (first.target, second.target)):
        for (_, frame), (_, expected) in zip(one.items(), other.items(), strict=True):
            lists = [c for c in expected if isinstance(expected[c].iloc[0], np.ndarray)]
            pd.testing.assert_frame_equal(
                frame.drop(columns=lists), expected.drop(columns=lists)
            )
            for name in lists:
                assert list(map(list, frame[name])) == list(map(list, expected[name]))
    assert first.schema.fields == second.schema.fields


def kuairand_tables(num_rows=700, num_users=20, num_videos=40):
    """Returns the four tables of KuaiRand-Pure, some impressions repeated."""
    rng = np.random.default_rng(3)
    log = pd.DataFrame(
        {
            "user_id": rng.integers(num_users, size=num_rows),
            "video_id": rng.integers(num_videos, size=num_rows),
            # Few distinct times, so that there are ties.
            "time_ms": LOG_START
            - DAY_MS // 48
            + DAY_MS // 24 * rng.integers(14 * 24, size=num_rows),
            "is_click": rng.integers(2, size=num_rows),
            "tab": rng.choice([0, 1, 6, 3], size=num_rows, p=[0.2, 0.5, 0.29, 0.01]),
        }
    )
    # Like the real log, it starts before its first day.
    log.loc[0, ["time_ms", "tab"]] = [LOG_START - DAY_MS // 48, 1]
    log = log.drop_duplicates(["user_id", "video_id", "time_ms"])
    log["date"], log["hourmin"], log["play_time_ms"] = 20220425, 1200, 777
    log = pd.concat([log, log[log["tab"] == 6]]).sample(frac=1, random_state=0)
    users = pd.DataFrame({"user_id": range(num_users)})
    users["user_active_degree"] = ["full_active", "UNKNOWN"] * (num_users // 2)
    for i in range(18):
        users[f"onehot_feat{i}"] = rng.integers(3, size=num_users)
    users["onehot_feat4"] = users["onehot_feat4"].astype(float).where(users.index > 4)
    for name in ("is_live_streamer", "is_video_author"):
        users[name] = rng.choice([-124, 1], size=num_users)
    for name in ("follow_user_num", "fans_user_num", "friend_user_num"):
        users[name] = rng.integers(1000, size=num_users)
    users["register_days"] = rng.integers(1, 4000, size=num_users)
    videos = pd.DataFrame({"video_id": range(num_videos)})
    videos["author_id"] = videos["video_id"] % 7
    videos["video_type"] = np.where(videos.index % 8 == 0, "AD", "NORMAL")
    videos["upload_type"] = ["Web", None] * (num_videos // 2)
    videos["music_id"] = 9_155_697_141 + videos["video_id"]
    videos["music_type"] = videos["video_id"].where(videos.index % 5 > 0) % 3
    videos["video_duration"] = (1000.0 * videos["video_id"]).where(videos.index > 3)
    videos["tag"] = [None, "39", "2,8"] * (num_videos // 3) + ["12"] * (num_videos % 3)
    users_with_past = np.arange(0, num_users, 2)
    past = pd.DataFrame({"user_id": users_with_past})
    # The past of user 0 reaches into the log.
    past["last_time_ms"] = LOG_START - DAY_MS + DAY_MS * 3 * (users_with_past == 0)
    past["long_watch_seq"] = [
        rng.integers(num_videos, size=user % 5).tolist() for user in users_with_past
    ]
    return {"log": log, "users": users, "videos": videos, "past": past}


def write_kuairand(root, tables):
    folder = root / "kuairand-pure"
    folder.mkdir(parents=True, exist_ok=True)
    tables["log"].to_parquet(folder / "log_standard_4_25_to_5_08_pure.parquet")
    tables["past"].to_parquet(folder / "user_history_before_4_25.parquet")
    tables["users"].to_csv(folder / "user_features_pure.csv", index=False)
    tables["videos"].to_csv(folder / "video_features_basic_pure.csv", index=False)
    return root


def amazon_interactions(num_users=20, num_items=60, num_rows=300):
    """Returns positives of two domains: disjoint items, ties in time, repetitions."""
    rng = np.random.default_rng(4)
    toys = rng.random(num_rows) < 0.6
    item = rng.integers(num_items, size=num_rows)
    frame = pd.DataFrame(
        {
            "reviewerID": [f"A{u:02d}" for u in rng.integers(num_users, size=num_rows)],
            "asin": [f"{'TG'[not t]}{i:03d}" for t, i in zip(toys, item, strict=True)],
            "domain": np.where(toys, "Toys_and_Games", "Video_Games"),
            "unixReviewTime": (86_400 * rng.integers(20, size=num_rows)).astype(
                "int32"
            ),
            "pos_in_user_sequence": np.arange(num_rows, dtype="int16"),
        }
    )
    # A user with one interaction in a domain, and two in the other.
    few = pd.DataFrame(
        {
            "reviewerID": "B",
            "asin": ["T000", "G000", "G001"],
            "domain": ["Toys_and_Games", "Video_Games", "Video_Games"],
            "unixReviewTime": np.array([0, 0, 86_400], "int32"),
            "pos_in_user_sequence": np.arange(3, dtype="int16"),
        }
    )
    return pd.concat([frame, few], ignore_index=True)


def write_amazon(root, interactions):
    folder = root / "amazon-toys-games"
    folder.mkdir(parents=True, exist_ok=True)
    interactions.to_parquet(folder / "interactions.parquet")
    return root


def review(i, rng):
    """Returns a review in the format of the published files of 2018."""
    record = {
        "overall": float(rng.integers(1, 6)),
        "verified": True,
        "reviewTime": f"{i % 12 + 1:02d} {i % 28 + 1}, {2010 + i % 8}",
        "reviewerID": f"A{rng.integers(50)}",
        "asin": f"{i % 30:010d}",
        "style": {"Color:": " Red", "Format:": " Hardcover"},
        "reviewerName": "Zoë",
        "reviewText": "Nice,\nvery nice.",
        "summary": "Nice",
        "unixReviewTime": 1_400_000_000 + i,
        "vote": f"1,{i % 3:03d}",
    }
    if i % 2:
        del record["style"], record["vote"]
    return record


def write_reviews(root, category, records):
    path = root / "amazon-2018" / f"{category}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for record in records:
            line = record if isinstance(record, str) else json.dumps(record)
            file.write(line + "\n")
    return path
