"""MovieLens-1M as one domain, split at random: the setting of the APG paper."""

import os

import numpy as np

from tf_ctr.datasets.domains import Splits
from tf_ctr.datasets.movielens.groups import ROWS, read
from tf_ctr.features import Categorical, Schema

NAMES = ("user_id", "gender", "occupation", "movie_id", "year")


def load_whole(data_dir=None, genre_string=False, seed=0):
    """Loads all of MovieLens-1M, both genders; the label is 1 for a rating above 3.

    Source: APG (arXiv 2203.16218), section 4.1, names the data and no more. The six
    fields follow from the memory that its table 5 reports (six embeddings of width
    32 in a row); the split, 8:1:1 at random, and the threshold are ours.

    Args:
        data_dir: Folder that holds `ml-1m/`; see `movielens.load`.
        genre_string: Whether there is a field `genre_string` of all genres of a movie
            in one value, the coarse-grained domain of the paper's table 6.
        seed: Of the shuffle.

    Returns:
        `Splits`, and the schema fitted on `Splits.train`.

    Raises:
        ValueError: For files that are not those of ML-1M.
        FileNotFoundError: If `data_dir` lacks a file.
        RuntimeError: If there is no folder and TFDS cannot provide the data.
    """
    rows = read(data_dir or os.environ.get("TF_CTR_DATA"), sum(ROWS.values()))
    rows = rows.sort_values(["user_id", "movie_id"], ignore_index=True)
    fields = [Categorical(name) for name in NAMES]
    fields.append(Categorical("genres", multivalent=True))
    if genre_string:
        rows["genre_string"] = rows["genres"].str.join("|")
        fields.append(Categorical("genre_string"))
    order = np.random.default_rng(seed).permutation(len(rows))
    bounds = np.cumsum(list(ROWS.values()))[:-1]
    parts = (rows.iloc[part] for part in np.split(order, bounds))
    splits = Splits(*(part.reset_index(drop=True) for part in parts))
    schema = Schema(fields, label="label", group="user_id")
    return splits, schema.fit(splits.train)
