import numpy as np
import pandas as pd
import pytest

from tests.support.dataset_folders import (
    DAY_MS,
    LOG_START,
    kuairand_tables,
    real_folder,
    rows,
    write_kuairand,
)
from tf_ctr.datasets import DATASETS, daily, kuairand, synthetic
from tf_ctr.datasets.kuairand import files as kuairand_files
from tf_ctr.datasets.kuairand import rows as kuairand_rows

TABLES = kuairand_tables()
KEY = ["time_ms", "user_id", "video_id"]
# Columns of the log that only the impression's outcome fills.
AFTER = {
    *("is_like", "is_follow", "is_comment", "is_forward", "is_hate", "long_view"),
    *("play_time_ms", "profile_stay_time", "comment_stay_time", "is_profile_enter"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_kuairand(tmp_path_factory.mktemp("data"), TABLES)


@pytest.fixture(scope="module")
def data(folder):
    return kuairand.load(folder)


def log():
    return TABLES["log"].drop_duplicates().sort_values(KEY, ignore_index=True)


def watched_before(row):
    """Videos of the given past, if the row is later, by user."""
    past = TABLES["past"]
    own = past[(past["user_id"] == row.user_id) & (past["last_time_ms"] < row.time_ms)]
    return [video for videos in own["long_watch_seq"] for video in videos]


def test_rows_come_from_the_log_without_repetitions(folder):
    frame = kuairand_files.from_folder(folder / "kuairand-pure")
    assert len(frame) == len(log()) < len(TABLES["log"])
    names = [*KEY, "tab", "is_click"]
    pd.testing.assert_frame_equal(frame[names], log()[names])


def test_rows_carry_features_of_user_and_video(folder):
    frame = kuairand_files.from_folder(folder / "kuairand-pure")
    users = TABLES["users"].set_index("user_id")
    videos = TABLES["videos"].set_index("video_id")
    for row in frame.sample(50, random_state=0).itertuples():
        user, video = users.loc[row.user_id], videos.loc[row.video_id]
        assert row.fans_user_num == user["fans_user_num"]
        assert row.user_active_degree == user["user_active_degree"]
        assert row.onehot_feat4 == (user["onehot_feat4"] if row.user_id > 4 else -1)
        assert row.music_id == video["music_id"]
        assert row.upload_type == ("Web" if row.video_id % 2 == 0 else "")
        assert row.music_type == (-1 if row.video_id % 5 == 0 else row.video_id % 3)
        tags = {0: [], 1: [39], 2: [2, 8]}[row.video_id % 3]
        assert list(row.tag) == (tags if row.video_id < 39 else [12])
        assert np.isnan(row.video_duration) == (row.video_id < 4)


def test_columns_known_only_after_the_impression_are_not_read(data):
    names = {field.name for field in data.schema.fields}
    assert not AFTER & set(data.source.train.columns)
    assert not names & {"is_click", "time_ms", "day", "date", "hourmin", "tab"}
    assert (data.schema.label, data.schema.group) == ("is_click", "user_id")
    assert data.schema.field("tag").multivalent
    assert data.schema.field("history").table == "video_id"


def test_domains_are_tabs_and_splits_are_days(data):
    expected = log().query("tab == 1")
    assert len(rows(data.source)) == len(expected)
    assert rows(data.source)["is_click"].sum() == expected["is_click"].sum()
    for domain, tab in ((data.source, 1), (data.target, 0)):
        assert set(rows(domain)["tab"]) == {tab}
        days = [set(frame["day"]) for _, frame in domain.items()]
        assert days == [set(range(10)), {10, 11}, {12, 13}]
        frames = [frame for _, frame in domain.items()]
        assert frames[0]["time_ms"].max() < frames[1]["time_ms"].min()
        assert frames[1]["time_ms"].max() < frames[2]["time_ms"].min()


def test_times_are_in_chinas_time_zone(data):
    frame = rows(data.source)
    time = pd.to_datetime(frame["time_ms"], unit="ms").dt.tz_localize("UTC")
    local = time.dt.tz_convert("Asia/Shanghai").dt
    assert (frame["hour"] == local.hour).all()
    assert (frame["weekday"] == local.day_of_week).all()
    days = (frame["time_ms"] - LOG_START) // DAY_MS
    assert (days == -1).any()
    assert (frame["day"] == days.clip(0)).all()


def test_history_is_earlier_clicks_of_any_tab_after_the_past(data):
    clicks = log().query("is_click == 1")
    reached = 0
    for domain in (data.source, data.target):
        for row in rows(domain).iloc[::4].itertuples():
            own = clicks[clicks["user_id"] == row.user_id]
            own = own[own["time_ms"] < row.time_ms]["video_id"].tolist()
            if row.user_id == 0:
                # The past of user 0 ends within the log: the order is by time.
                assert sorted(row.history) == sorted(watched_before(row) + own)
            else:
                assert list(row.history) == watched_before(row) + own
                reached += len(watched_before(row)) > 0
    assert reached


def test_a_past_that_overlaps_the_log_is_known_only_from_its_end():
    impressions = pd.DataFrame(
        {
            "user_id": [0, 0, 0],
            "video_id": [5, 6, 7],
            "time_ms": [LOG_START, LOG_START + 2 * DAY_MS, LOG_START + 3 * DAY_MS],
            "long_watched": [[39, 38]] * 3,
            "long_watched_until": [LOG_START + 2 * DAY_MS] * 3,
        }
    )
    histories = kuairand_rows.histories(impressions, np.array([True, True, True]))
    assert list(map(list, histories)) == [[], [5], [5, 39, 38, 6]]


def test_random_split_keeps_held_out_labels_out_of_histories(folder):
    data = kuairand.load(folder, split="random", seed=1)
    sizes = data.summary()["rows"].groupby("split").sum() / data.summary()["rows"].sum()
    assert sizes.to_dict() == pytest.approx(
        {"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.05
    )
    training = kuairand_rows.read(folder, "random", 2, 1).query("split == 0")
    clicks = training.query("is_click == 1")
    for row in rows(data.target).iloc[::4].itertuples():
        own = clicks[clicks["user_id"] == row.user_id]
        own = own[own["time_ms"] < row.time_ms]["video_id"].tolist()
        assert sorted(row.history) == sorted(watched_before(row) + own)
    other = kuairand.load(folder, split="random", seed=2)
    assert not other.target.test.equals(data.target.test)
    assert not rows(data.source).duplicated(KEY).any()


def test_test_days_and_encrypted_features_are_options(folder):
    data = kuairand.load(folder, target_tab=6, test_days=3, encrypted=False)
    assert set(data.target.test["day"]) == {11, 12, 13}
    assert set(data.target.validation["day"]) == {8, 9, 10}
    names = {field.name for field in data.schema.fields}
    assert not names & set(kuairand_files.ENCRYPTED)
    everything = {f.name for f in kuairand.load(folder).schema.fields}
    assert everything - names == set(kuairand_files.ENCRYPTED)


def test_natural_and_advertised_videos_can_be_the_domains(folder):
    data = kuairand.load_ads(folder)
    assert set(rows(data.source)["video_type"]) == {"NORMAL"}
    assert set(rows(data.target)["video_type"]) == {"AD"}
    assert len(rows(data.source)) + len(rows(data.target)) == len(log())
    assert data.schema.field("tab").fitted
    assert DATASETS["kuairand_ads"] is kuairand.load_ads


def test_rows_can_be_encoded(data):
    encoded = data.schema.encode(data.schema.raw_columns(data.target.test))
    assert encoded["history"].shape == (len(data.target.test), 50)
    missing = data.target.test["video_duration"].isna()
    assert (encoded["video_duration"].numpy()[missing] == 0).all()


def test_periods_are_the_days_of_all_splits(folder, data):
    cut = kuairand.load_periods(folder, fit_days=5)
    assert (len(cut.source), len(cut.target)) == (14, 14)
    for day, frame in enumerate(cut.target):
        assert set(frame["day"]) == {day}
    assert sum(map(len, cut.source)) == len(rows(data.source))
    first = pd.concat(cut.source[:5] + cut.target[:5])
    assert set(cut.schema.field("user_id").vocabulary) == set(first["user_id"])
    summary = cut.summary()
    assert summary["target", "rows"].tolist() == list(map(len, cut.target))
    assert summary["source", "click_rate"][3] == cut.source[3]["is_click"].mean()


def test_daily_works_on_any_domains_with_days_and_keeps_their_schema():
    data = synthetic.generate(
        source_rows=800, target_rows=80, num_users=300, num_items=40
    )
    before = data.schema.field("user_id").vocabulary
    cut = daily(data, 1)
    assert len(cut.target) == 8
    assert data.schema.field("user_id").vocabulary == before
    assert len(cut.schema.field("user_id").vocabulary) < len(before)
    with pytest.raises(ValueError, match="`fit_days` from 1 to 7"):
        daily(data, 8)
    for domain in (data.source, data.target):
        for _, frame in domain.items():
            del frame["day"]
    with pytest.raises(ValueError, match="name of a column(.|\n)*'day'"):
        daily(data, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"target_tab": 15}, "name of a tab(.|\n)*15"),
        ({"target_tab": 1}, "two different values of tab"),
        ({"split": "by user"}, "name of a split(.|\n)*chronological, random"),
        ({"test_days": 0}, "`test_days`"),
        ({"test_days": 7}, "`test_days`"),
        ({"seed": -1}, "`seed`"),
    ],
)
def test_wrong_arguments_are_found_before_any_file_is_read(wrong, message):
    with pytest.raises(ValueError, match=message):
        kuairand.load("nowhere", **wrong)


def test_other_wrong_arguments_are_refused(folder):
    with pytest.raises(ValueError, match="video type(.|\n)*'UNKNOWN'"):
        kuairand.load_ads("nowhere", source="UNKNOWN")
    with pytest.raises(ValueError, match="`fit_days`"):
        kuairand.load_periods("nowhere", fit_days=0)
    with pytest.raises(ValueError, match="`fit_days` from 1 to 13"):
        kuairand.load_periods(folder, fit_days=14)
    with pytest.raises(ValueError, match="rows of tab 14 in training(.|\n)*{1: "):
        kuairand.load(folder, target_tab=14)


@pytest.mark.parametrize(
    "name",
    [
        kuairand_files.LOG,
        kuairand_files.USERS,
        kuairand_files.VIDEOS,
        kuairand_files.HISTORY,
    ],
)
def test_missing_file_says_where_to_get_it(tmp_path, name):
    write_kuairand(tmp_path, TABLES)
    (tmp_path / "kuairand-pure" / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}(.|\n)*kuairand.com"):
        kuairand.load(tmp_path)


def test_missing_columns_and_unknown_or_repeated_ids_are_refused(tmp_path):
    tables = TABLES | {"users": TABLES["users"].drop(columns="onehot_feat7")}
    with pytest.raises(ValueError, match="columns .'onehot_feat7'. in"):
        kuairand.load(write_kuairand(tmp_path, tables))
    tables = TABLES | {"videos": TABLES["videos"].iloc[1:]}
    with pytest.raises(ValueError, match="every video_id(.|\n)*unknown, e.g. 0"):
        kuairand.load(write_kuairand(tmp_path, tables))
    users = TABLES["users"]
    tables = TABLES | {"users": pd.concat([users, users.iloc[[7]]])}
    with pytest.raises(ValueError, match="every user_id(.|\n)*1 repeated, e.g. 7"):
        kuairand.load(write_kuairand(tmp_path, tables))


@pytest.fixture(scope="module")
def real():
    return kuairand.load(real_folder("kuairand-pure"))


def test_real_files_have_the_published_counts(real):
    summary = real.summary()
    totals = summary["rows"].groupby("domain").sum().to_dict()
    # The log has 173,008 and 20,254 rows; the rest is repeated impressions.
    assert totals == {"source": 173_008, "target": 20_239}
    assert (summary.loc["target", "shared_users"] > 0.85).all()
    assert summary.loc["source", "click_rate"].between(0.46, 0.50).all()
    assert summary.loc["target", "click_rate"].between(0.08, 0.10).all()


def test_real_users_have_a_past(real):
    train = real.source.train
    first = train.drop_duplicates("user_id")
    assert (first["history"].map(len) > 0).mean() > 0.8
    assert train["history"].map(len).max() == 50
