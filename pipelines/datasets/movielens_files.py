"""MovieLens-1M from a local folder or from TFDS, in one form."""

import os
import pathlib

import pandas as pd

from tf_ctr.errors import explain

# The codes of users.dat, worded as TFDS does.
OCCUPATIONS = (
    "other/not specified",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)
RATING_COLUMNS = ["user_id", "movie_id", "rating", "timestamp"]
TFDS_NAME = "movielens/1m-ratings"


def read(data_dir, num_rows: int) -> pd.DataFrame:
    """Reads all ratings with the features of user and movie.

    Args:
        data_dir: Folder that holds `ml-1m/`; `None` takes the environment variable
            `TF_CTR_DATA`, and without it TFDS.
        num_rows: The number of ratings there must be.

    Returns:
        A frame of `user_id`, `movie_id`, `timestamp` (integers), `gender`,
        `occupation` (strings), `year` (integer), `genres` (lists) and `label`.

    Raises:
        ValueError: For files of any other content.
        FileNotFoundError: If the folder lacks a file.
        RuntimeError: If TFDS is asked and cannot provide the data.
    """
    data_dir = data_dir or os.environ.get("TF_CTR_DATA")
    if data_dir:
        rows = from_folder(pathlib.Path(data_dir) / "ml-1m")
    else:
        rows = from_tfds(*_fetch())
    if len(rows) != num_rows:
        raise ValueError(
            explain(
                f"the {num_rows:,} ratings of ML-1M",
                f"{len(rows):,} from {data_dir or 'TFDS'}",
                "unpack ml-1m.zip of https://grouplens.org/datasets/movielens/1m anew",
            )
        )
    return rows


def from_folder(folder) -> pd.DataFrame:
    """Reads `ratings.parquet` (or `ratings.dat`), `users.dat` and `movies.dat`."""
    folder = pathlib.Path(folder)
    users = _read_dat(folder / "users.dat", ["user_id", "gender", "age", "code", "zip"])
    movies = _read_dat(folder / "movies.dat", ["movie_id", "title", "genres"])
    movies["genres"] = movies["genres"].str.split("|")
    users["occupation"] = users["code"].astype(int).map(dict(enumerate(OCCUPATIONS)))
    rows = _read_ratings(folder)
    rows = _join(rows, users[["user_id", "gender", "occupation"]], folder)
    return _features(_join(rows, movies, folder))


def from_tfds(rows, genre_names) -> pd.DataFrame:
    """Brings the examples of TFDS `movielens/1m-ratings` into the folder's form.

    Args:
        rows: A frame of the features of TFDS, by their names there.
        genre_names: The genre of every label of `movie_genres`.
    """
    text = {
        name: rows[name].map(lambda value: value.decode() if value else "")
        for name in ("user_id", "movie_id", "movie_title", "user_occupation_text")
    }
    frame = pd.DataFrame(
        {
            "user_id": text["user_id"].astype("int64"),
            "movie_id": text["movie_id"].astype("int64"),
            "rating": rows["user_rating"],
            "timestamp": rows["timestamp"],
            "gender": rows["user_gender"].map({True: "M", False: "F"}),
            "occupation": text["user_occupation_text"],
            "title": text["movie_title"],
            "genres": [
                [genre_names[i] for i in labels] for labels in rows["movie_genres"]
            ],
        }
    )
    return _features(frame)


def _features(frame):
    year = frame["title"].str.extract(r"\((\d{4})\)\s*$", expand=False)
    if year.isna().any():
        raise ValueError(
            explain(
                "movie titles that end in a year, e.g. 'Toy Story (1995)'",
                repr(frame["title"][year.isna()].iloc[0]),
                "take movies.dat of ml-1m.zip as it is",
            )
        )
    return pd.DataFrame(
        {
            "user_id": frame["user_id"],
            "gender": frame["gender"],
            "occupation": frame["occupation"],
            "movie_id": frame["movie_id"],
            "year": year.astype("int64"),
            "genres": frame["genres"],
            "timestamp": frame["timestamp"].astype("Int64"),
            "label": (frame["rating"] > 3).astype("int8"),
        }
    )


def _read_ratings(folder):
    parquet, dat = folder / "ratings.parquet", folder / "ratings.dat"
    if parquet.exists():
        rows = pd.read_parquet(parquet)
        if list(rows.columns) != RATING_COLUMNS:
            raise ValueError(
                explain(
                    f"columns {RATING_COLUMNS} in {parquet}",
                    list(rows.columns),
                    "write the Parquet file anew from ratings.dat",
                )
            )
    else:
        rows = _read_dat(dat, RATING_COLUMNS).astype("int64")
    return rows.astype({"user_id": "int64", "movie_id": "int64"})


def _read_dat(path, names):
    if not path.exists():
        raise FileNotFoundError(
            explain(
                f"the file {path}",
                "no such file",
                "unpack ml-1m.zip of https://grouplens.org/datasets/movielens/1m and "
                "give the folder that holds ml-1m/ as data_dir or in TF_CTR_DATA",
            )
        )
    with path.open(encoding="latin-1") as lines:
        rows = [line.rstrip("\n").split("::") for line in lines]
    wrong = next((row for row in rows if len(row) != len(names)), None)
    if wrong or not rows:
        raise ValueError(
            explain(
                f"lines of {len(names)} values, split by '::', in {path}",
                wrong and "::".join(wrong),
                "take the file of ml-1m.zip as it is",
            )
        )
    frame = pd.DataFrame(rows, columns=names)
    ids = [name for name in names if name.endswith("_id")]
    return frame.astype(dict.fromkeys(ids, "int64"))


def _join(rows, table, folder):
    (key,) = rows.columns.intersection(table.columns)
    unknown = ~rows[key].isin(table[key])
    if unknown.any():
        raise ValueError(
            explain(
                f"every {key} of the ratings in {folder / key.replace('_id', 's.dat')}",
                f"{unknown.sum()} ratings of others, e.g. {rows[key][unknown].iloc[0]}",
                "take all files from the same ml-1m.zip",
            )
        )
    return rows.merge(table, on=key, how="left", validate="many_to_one")


def _fetch():
    """Returns the examples of TFDS as a frame, and the names of the genres."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise RuntimeError(_not_fetched(error)) from error
    try:
        data, info = tfds.load(TFDS_NAME, split="train", with_info=True)
    except (ImportError, OSError, tfds.download.DownloadError) as error:
        raise RuntimeError(_not_fetched(error)) from error
    # Ragged: padded genres could not be told from genre 0.
    batches = [
        pd.DataFrame({name: _values(tensor) for name, tensor in batch.items()})
        for batch in data.ragged_batch(1 << 16)
    ]
    genres = info.features["movie_genres"].feature.names
    return pd.concat(batches, ignore_index=True), genres


def _values(tensor):
    return tensor.to_list() if hasattr(tensor, "to_list") else tensor.numpy()


def _not_fetched(error):
    return explain(
        f"TFDS to provide {TFDS_NAME}, since neither data_dir nor TF_CTR_DATA is given",
        f"{type(error).__name__}: {error}",
        "run `pip install tensorflow-datasets importlib_resources` with internet "
        "access; or unpack ml-1m.zip of https://grouplens.org/datasets/movielens/1m "
        "and give the folder that holds ml-1m/ as data_dir or in TF_CTR_DATA",
    )
