"""MovieLens-1M from TensorFlow Datasets."""

from collections.abc import Sequence

import pandas as pd

from tf_ctr.datasets.movielens.files import FIX, features
from tf_ctr.datasets.tfds_rows import INSTALL, to_frame
from tf_ctr.errors import explain

TFDS_NAME = "movielens/1m-ratings"


def fetch() -> tuple[pd.DataFrame, list[str]]:
    """Downloads the examples, or reads those that TFDS has prepared before.

    Returns:
        A frame of the features of TFDS, and the names of the genres: the two
        arguments of `from_tfds`.

    Raises:
        RuntimeError: If TFDS or a package that it needs is missing, or there is no
            connection.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise RuntimeError(_not_fetched(error)) from error
    try:
        data, info = tfds.load(TFDS_NAME, split="train", with_info=True)
    except (ImportError, OSError, tfds.download.DownloadError) as error:
        raise RuntimeError(_not_fetched(error)) from error
    return to_frame(data), info.features["movie_genres"].feature.names


def from_tfds(rows: pd.DataFrame, genre_names: Sequence[str]) -> pd.DataFrame:
    """Converts the examples of TFDS to the same rows as those of the original files.

    Args:
        rows: A frame with the features of `movielens/1m-ratings`, by their names.
        genre_names: The genre of every label of `movie_genres`.

    Returns:
        One row per rating; see `files.features`.
    """
    text = {
        name: rows[name].str.decode("utf-8")
        for name in ("user_id", "movie_id", "movie_title", "user_occupation_text")
    }
    frame = pd.DataFrame(
        {
            "user_id": text["user_id"].astype("int64"),
            "movie_id": text["movie_id"].astype("int64"),
            "rating": rows["user_rating"],
            "timestamp": rows["timestamp"],
            "gender": rows["user_gender"].map({True: "M", False: "F"}),
            "age": rows["bucketized_user_age"],
            "occupation": text["user_occupation_text"],
            "title": text["movie_title"],
            "genres": [
                [genre_names[i] for i in labels] for labels in rows["movie_genres"]
            ],
        }
    )
    return features(frame)


def _not_fetched(error):
    return explain(
        f"TFDS to provide {TFDS_NAME}, since neither data_dir nor TF_CTR_DATA is given",
        f"{type(error).__name__}: {error}",
        f"run `{INSTALL}` with internet access; or {FIX}",
    )
