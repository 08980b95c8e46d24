import functools
import os
import pathlib
import sys
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from tf_ctr.datasets import DATASETS, movielens
from tf_ctr.datasets.movielens import files as movielens_files
from tf_ctr.datasets.movielens import groups
from tf_ctr.datasets.movielens import tfds as movielens_tfds

ROWS = {"train": 800, "validation": 100, "test": 100}
NUM_USERS, NUM_MOVIES = 25, 60
GENRES = ["Action", "Children's", "Comedy", "Film-Noir", "Sci-Fi"]
REPOSITORY = pathlib.Path(__file__).parents[2]


def tiny_ratings():
    generator = np.random.default_rng(5)
    pairs = generator.choice(NUM_USERS * NUM_MOVIES, 1000, replace=False)
    ratings = pd.DataFrame(
        {
            "user_id": (pairs // NUM_MOVIES + 1).astype("int16"),
            "movie_id": (pairs % NUM_MOVIES + 1).astype("int16"),
            "rating": generator.integers(1, 6, 1000).astype("int8"),
            # Few distinct times, so that there are ties.
            "timestamp": pd.array(generator.integers(100, 140, 1000), dtype="Int32"),
        }
    )
    unknown = (ratings["user_id"] > 15) & (ratings["rating"] <= 3)
    ratings.loc[unknown & (ratings["timestamp"] < 130), "timestamp"] = pd.NA
    return ratings


def user_line(user):
    return f"{user}::{'MF'[user % 3 == 0]}::25::{user % 21}::{10000 + user}"


def movie_line(movie):
    genres = "|".join(GENRES[movie % 5 :][: 1 + movie % 3])
    return f"{movie}::Café (Le), {movie}: a film ({1920 + movie})::{genres}"


def write_lines(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="latin-1")


def write_original(files, ratings):
    lines = ("::".join(map(str, row)) for row in ratings.itertuples(index=False))
    write_lines(files / "ratings.dat", lines)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "ROWS", ROWS)
    monkeypatch.delenv("TF_CTR_DATA", raising=False)
    files = tmp_path / "ml-1m"
    files.mkdir()
    tiny_ratings().to_parquet(files / "ratings.parquet")
    write_lines(files / "users.dat", map(user_line, range(1, NUM_USERS + 1)))
    write_lines(files / "movies.dat", map(movie_line, range(1, NUM_MOVIES + 1)))
    return tmp_path


def frames(data):
    return [
        frame for domain in (data.source, data.target) for _, frame in domain.items()
    ]


def all_rows(data):
    return pd.concat(frames(data)).sort_values(["user_id", "movie_id"])


def test_rows_carry_features_of_user_and_movie(folder):
    rows = all_rows(movielens.load(folder))
    expected = tiny_ratings().sort_values(["user_id", "movie_id"])
    assert rows["user_id"].tolist() == expected["user_id"].tolist()
    assert rows["movie_id"].tolist() == expected["movie_id"].tolist()
    assert rows["label"].tolist() == [int(r >= 4) for r in expected["rating"]]
    assert rows["timestamp"].tolist() == expected["timestamp"].tolist()
    assert rows["year"].tolist() == [1920 + m for m in rows["movie_id"]]
    assert rows["gender"].tolist() == ["MF"[u % 3 == 0] for u in rows["user_id"]]
    codes = [movielens_files.OCCUPATIONS.index(name) for name in rows["occupation"]]
    assert codes == [u % 21 for u in rows["user_id"]]
    for movie, genres in zip(rows["movie_id"], rows["genres"], strict=True):
        line = "|".join(genres).replace("Children", "Children's")
        assert movie_line(movie).endswith("::" + line)
    assert "rating" not in rows


def test_split_is_global_then_by_gender(folder):
    data = movielens.load(folder)
    for split, size in ROWS.items():
        source, target = (getattr(d, split) for d in (data.source, data.target))
        assert len(source) + len(target) == size
        assert set(source["gender"]) == {"M"}
        assert set(target["gender"]) == {"F"}
    rows = all_rows(data)
    assert len(rows) == 1000
    assert not rows.duplicated(["user_id", "movie_id"]).any()


def test_genders_can_be_swapped(folder):
    data, swapped = (
        movielens.load(folder),
        movielens.load(folder, source="F", target="M"),
    )
    pd.testing.assert_frame_equal(data.source.test, swapped.target.test)


def test_split_depends_only_on_the_seed(folder):
    first, other = movielens.load(folder), movielens.load(folder, seed=1)
    ratings = tiny_ratings().sample(frac=1, random_state=0)
    ratings.to_parquet(folder / "ml-1m" / "ratings.parquet")
    shuffled = movielens.load(folder)
    for before, after in zip(frames(first), frames(shuffled), strict=True):
        pd.testing.assert_frame_equal(before, after)
    assert not first.target.test.equals(other.target.test)


def test_rows_are_shuffled(folder):
    users = movielens.load(folder).source.train["user_id"]
    assert not users.is_monotonic_increasing


def test_schema_follows_the_paper_and_is_fitted_on_training_rows_only(folder):
    data = movielens.load(folder)
    names = [field.name for field in data.schema.fields]
    assert names == ["user_id", "gender", "occupation", "movie_id", "year", "genres"]
    assert (data.schema.label, data.schema.group) == ("label", "user_id")
    train = pd.concat([data.source.train, data.target.train])
    for name in names[:-1]:
        assert set(data.schema.field(name).vocabulary) == set(train[name])
    assert set(data.schema.field("genres").vocabulary) == set(train["genres"].explode())


def test_history_holds_earlier_liked_movies_of_training_rows(folder):
    data = movielens.load(folder, history=True)
    field = data.schema.field("history")
    assert (field.table, field.max_length) == ("movie_id", 50)
    train = pd.concat([data.source.train, data.target.train])
    liked = train[train["label"] == 1]
    lengths = []
    for frame in frames(data):
        known = frame[frame["timestamp"].notna()]
        for row in known.itertuples():
            past = liked[(liked["user_id"] == row.user_id)]
            past = past[past["timestamp"] < row.timestamp]
            past = past.sort_values(["timestamp", "movie_id"])
            assert list(row.history) == past["movie_id"].tolist()
            lengths.append(len(past))
    assert max(lengths) > 5


def test_unknown_times_are_drawn_from_known_times_of_the_same_user(folder):
    rows = all_rows(movielens.load(folder)).reset_index(drop=True)
    times = groups.known_times(rows, np.random.default_rng(3))
    missing = rows["timestamp"].isna().to_numpy()
    assert missing.any()
    assert (times[~missing] == rows["timestamp"][~missing].astype(int)).all()
    known = rows[~missing].groupby("user_id")["timestamp"].agg(set)
    for user, time in zip(rows["user_id"][missing], times[missing], strict=True):
        assert time in known[user]
    assert (times == groups.known_times(rows, np.random.default_rng(3))).all()
    assert (times != groups.known_times(rows, np.random.default_rng(4))).any()


def test_user_without_any_known_time_is_an_error():
    rows = pd.DataFrame({"user_id": [1, 2], "timestamp": pd.array([5, None], "Int64")})
    with pytest.raises(ValueError, match="none for user 2"):
        groups.known_times(rows, np.random.default_rng(0))


def test_folder_may_come_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("TF_CTR_DATA", str(folder))
    assert movielens.load().name == "movielens"


def test_ratings_may_come_from_the_original_file(folder):
    ratings = tiny_ratings().dropna()
    files = folder / "ml-1m"
    ratings.to_parquet(files / "ratings.parquet")
    parquet = movielens_files.from_folder(files)
    (files / "ratings.parquet").unlink()
    write_original(files, ratings)
    pd.testing.assert_frame_equal(movielens_files.from_folder(files), parquet)


def tfds_example(user, movie, rating, timestamp):
    """An example of TFDS `movielens/1m-ratings`, by its documented features."""
    _, title, genres = movie_line(movie).split("::")
    return {
        "user_id": str(user).encode(),
        "movie_id": str(movie).encode(),
        "movie_title": title.encode(),
        "movie_genres": [GENRES.index(genre) for genre in genres.split("|")],
        "user_rating": np.float32(rating),
        "timestamp": timestamp,
        "user_gender": user % 3 != 0,
        "bucketized_user_age": np.float32(25),
        "user_occupation_label": 0,
        "user_occupation_text": movielens_files.OCCUPATIONS[user % 21].encode(),
        "user_zip_code": b"10001",
    }


def test_tfds_examples_give_the_same_rows_as_the_folder(folder):
    ratings = tiny_ratings().dropna()
    ratings.to_parquet(folder / "ml-1m" / "ratings.parquet")
    examples = [tfds_example(*row) for row in ratings.itertuples(index=False)]
    genres = [genre.replace("'s", "") for genre in GENRES]
    pd.testing.assert_frame_equal(
        movielens_tfds.from_tfds(pd.DataFrame(examples), genres),
        movielens_files.from_folder(folder / "ml-1m"),
    )


@pytest.mark.filterwarnings("ignore")
def test_tfds_builds_the_same_rows_as_the_folder(folder, tmp_path, monkeypatch):
    """TFDS itself reads the original files; only its download is replaced."""
    tfds = pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("importlib_resources", reason="tensorflow_datasets needs it")
    files = folder / "ml-1m"
    ratings = tiny_ratings().dropna()
    ratings.to_parquet(files / "ratings.parquet")
    write_original(files, ratings)
    builder = tfds.builder("movielens/1m-ratings", data_dir=tmp_path / "tfds")
    download = mock.patch.object(
        tfds.download.DownloadManager, "download_and_extract", return_value=str(folder)
    )
    with download:
        builder.download_and_prepare()
    prepared = functools.partial(tfds.load, data_dir=tmp_path / "tfds")
    monkeypatch.setattr(tfds, "load", prepared)
    rows = movielens_tfds.from_tfds(*movielens_tfds.fetch())
    expected = movielens_files.from_folder(files)
    keys = ["user_id", "movie_id"]
    pd.testing.assert_frame_equal(
        rows.sort_values(keys, ignore_index=True),
        expected.sort_values(keys, ignore_index=True),
    )


def test_without_folder_and_tfds_the_error_names_both_ways(monkeypatch):
    monkeypatch.delenv("TF_CTR_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(RuntimeError, match="pip install(.|\n)*TF_CTR_DATA"):
        movielens.load()


@pytest.mark.parametrize("genders", [("M", "M"), ("male", "F"), ("F", None)])
def test_genders_are_checked_before_any_file_is_read(genders):
    with pytest.raises(ValueError, match="gender(.|\n)*Fix:"):
        movielens.load("nowhere", source=genders[0], target=genders[1])


@pytest.mark.parametrize("name", ["users.dat", "movies.dat", "ratings.parquet"])
def test_missing_file_says_where_to_put_it(folder, name):
    (folder / "ml-1m" / name).unlink()
    with pytest.raises(FileNotFoundError, match="unpack ml-1m.zip(.|\n)*TF_CTR_DATA"):
        movielens.load(folder)


def test_missing_folder_never_falls_back_to_a_download(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        movielens.load(tmp_path / "nowhere")


def test_a_wrong_number_of_ratings_is_refused(folder):
    tiny_ratings()[:-1].to_parquet(folder / "ml-1m" / "ratings.parquet")
    with pytest.raises(ValueError, match="the 1,000 ratings of ML-1M(.|\n)*999 from"):
        movielens.load(folder)


def test_wrong_columns_are_refused(folder):
    tiny_ratings().drop(columns="rating").to_parquet(folder / "ml-1m/ratings.parquet")
    with pytest.raises(ValueError, match="columns .'user_id', 'movie_id', 'rating'"):
        movielens.load(folder)


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("users.dat", ["1::F::1::10"], "5 values(.|\n)*1::F::1::10"),
        ("movies.dat", ["1,Toy Story (1995),Comedy"], "3 values"),
        ("movies.dat", [movie_line(1)], "every movie_id(.|\n)*movies.dat"),
        ("users.dat", [user_line(1)], "every user_id(.|\n)*users.dat"),
    ],
)
def test_wrong_content_is_refused(folder, name, lines, message):
    write_lines(folder / "ml-1m" / name, lines)
    with pytest.raises(ValueError, match=message):
        movielens.load(folder)


def test_title_without_a_year(folder):
    lines = [movie_line(movie) for movie in range(1, NUM_MOVIES + 1)]
    lines[3] = "4::Nameless::Comedy"
    write_lines(folder / "ml-1m" / "movies.dat", lines)
    with pytest.raises(ValueError, match="end in a year(.|\n)*'Nameless'"):
        movielens.load(folder)


@pytest.fixture(scope="module")
def real():
    data_dir = os.environ.get("TF_CTR_DATA") or REPOSITORY.parent / "shared" / "data"
    if not (pathlib.Path(data_dir) / "ml-1m" / "ratings.parquet").exists():
        pytest.skip("no MovieLens-1M: set TF_CTR_DATA to the folder that holds ml-1m/")
    return movielens.load(data_dir, history=True)


def test_real_files_have_the_published_counts(real):
    summary = real.summary()
    assert summary["rows"].groupby("split").sum().to_dict() == groups.ROWS
    assert summary["rows"].groupby("domain").sum().to_dict() == {
        "source": 753_769,
        "target": 246_440,
    }
    labels = pd.concat(frames(real))["label"]
    assert labels.sum() == 575_281
    # The paper has 602,975 male training rows; a shuffle varies by +-170 (1 sigma).
    assert abs(summary.loc[("source", "train"), "rows"] - 602_975) < 1000
    assert summary["users"].groupby("domain").max().to_dict() == {
        "source": 4331,
        "target": 1709,
    }


def test_real_domains_share_items_but_no_users(real):
    source, target = (
        pd.concat([frame for _, frame in domain.items()])
        for domain in (real.source, real.target)
    )
    assert len(set(source["movie_id"]) & set(target["movie_id"])) == 3446
    assert not set(source["user_id"]) & set(target["user_id"])


def test_history_length_does_not_reveal_missing_times_in_real_files(real):
    train = real.source.train
    late = train[train["user_id"] >= 3000]
    length = late["history"].map(len)
    missing = late["timestamp"].isna()
    assert missing.any()
    assert not late["label"][missing].any()
    assert length[missing].mean() == pytest.approx(length[~missing].mean(), rel=0.1)


def with_ages(folder):
    """Users of three ages; those of 35 belong to neither domain."""
    lines = [
        user_line(user).replace("::25::", f"::{(25, 56, 35)[user % 3]}::")
        for user in range(1, NUM_USERS + 1)
    ]
    write_lines(folder / "ml-1m" / "users.dat", lines)
    return folder


def test_domains_by_age_are_split_like_domains_by_gender(folder):
    with_ages(folder)
    data = movielens.load(folder, by="age")
    by_gender = movielens.load(folder)
    for domain, age in ((data.source, 25), (data.target, 56)):
        for split, frame in domain.items():
            halves = [getattr(d, split) for d in (by_gender.source, by_gender.target)]
            expected = pd.concat(halves).query(f"age == {age}")
            keys = ["user_id", "movie_id"]
            assert len(frame) > 0
            pd.testing.assert_frame_equal(
                frame.sort_values(keys, ignore_index=True),
                expected.sort_values(keys, ignore_index=True),
            )
    assert data.name == "movielens_age"
    assert "age" not in {field.name for field in data.schema.fields}
    swapped = movielens.load(folder, by="age", source=56, target=35)
    pd.testing.assert_frame_equal(swapped.source.test, data.target.test)
    assert DATASETS["movielens_age"](folder).source.test.equals(data.source.test)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"by": "zip"}, "name of a column(.|\n)*age, gender"),
        ({"by": "age", "source": "M"}, "name of a age"),
        ({"by": "age", "target": 25}, "two different values of age"),
        ({"by": "gender", "target": 56}, "name of a gender"),
    ],
)
def test_ages_are_checked_before_any_file_is_read(wrong, message):
    with pytest.raises(ValueError, match=message):
        movielens.load("nowhere", **wrong)


def test_real_age_groups_are_frequent_and_rare(real):
    ratings = pd.concat(frames(real))["age"].value_counts()
    assert (ratings[25], ratings[56]) == (395_556, 38_780)
