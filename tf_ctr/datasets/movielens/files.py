"""The original files of MovieLens-1M as one frame."""

import os
import pathlib

import pandas as pd

from tf_ctr.datasets.checks import existing_file, join
from tf_ctr.errors import explain

FIX = (
    "unpack ml-1m.zip of https://grouplens.org/datasets/movielens/1m and pass the "
    "folder that holds ml-1m/ as data_dir or name it in TF_CTR_DATA"
)
# The codes of users.dat, in the words of TFDS.
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


def from_folder(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Reads `ratings.parquet` (or `ratings.dat`), `users.dat` and `movies.dat`.

    Args:
        folder: The folder `ml-1m`.

    Returns:
        One row per rating; see `features`.

    Raises:
        ValueError: For a file in another format.
        FileNotFoundError: If a file is missing.
    """
    folder = pathlib.Path(folder)
    users = _read_dat(folder / "users.dat", ["user_id", "gender", "age", "code", "zip"])
    movies = _read_dat(folder / "movies.dat", ["movie_id", "title", "genres"])
    # TFDS spells this genre so, and both sources must give the same rows.
    genres = movies["genres"].str.replace("Children's", "Children")
    movies["genres"] = genres.str.split("|")
    users["occupation"] = users["code"].astype(int).map(dict(enumerate(OCCUPATIONS)))
    rows = _read_ratings(folder)
    users["age"] = users["age"].astype("int64")
    columns = ["user_id", "gender", "age", "occupation"]
    rows = join(rows, users[columns], folder / "users.dat")
    return features(join(rows, movies, folder / "movies.dat"))


def features(frame: pd.DataFrame) -> pd.DataFrame:
    """Turns joined ratings into the columns of the data set.

    Args:
        frame: A frame with `title`, `rating` and the columns that do not change.

    Returns:
        A frame of `user_id`, `movie_id`, `timestamp`, `age` (integers), `gender`,
        `occupation` (strings), `year` (integer), `genres` (lists) and `label`.

    Raises:
        ValueError: For a title that does not end in a year.
    """
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
            "age": frame["age"].astype("int64"),
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
                    "write the Parquet file again from ratings.dat",
                )
            )
    else:
        rows = _read_dat(dat, RATING_COLUMNS).astype("int64")
    return rows.astype({"user_id": "int64", "movie_id": "int64"})


def _read_dat(path, names):
    path = existing_file(path, FIX)
    with path.open(encoding="latin-1") as lines:
        rows = [line.rstrip("\n").split("::") for line in lines]
    wrong = next((row for row in rows if len(row) != len(names)), None)
    if wrong or not rows:
        raise ValueError(
            explain(
                f"lines of {len(names)} values, separated by '::', in {path}",
                wrong and "::".join(wrong),
                "take the file of ml-1m.zip as it is",
            )
        )
    frame = pd.DataFrame(rows, columns=names)
    ids = [name for name in names if name.endswith("_id")]
    return frame.astype(dict.fromkeys(ids, "int64"))
