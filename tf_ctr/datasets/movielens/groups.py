"""MovieLens-1M as two domains by gender or age, on the split of the AutoFT paper."""

import os
import pathlib

import numpy as np

from tf_ctr.datasets.checks import check_pair
from tf_ctr.datasets.domains import Splits, TwoDomains, earlier_clicks
from tf_ctr.datasets.movielens.files import from_folder
from tf_ctr.datasets.movielens.tfds import fetch, from_tfds
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Categorical, Schema, Sequence

# Recovered from the paper's table: the two domains add up to these numbers.
ROWS = {"train": 800_000, "validation": 100_000, "test": 100_209}
HISTORY_LENGTH = 50
GENDERS = ("M", "F")
# Each stands for the years up to the next one; 1 is under 18.
AGES = (1, 18, 25, 35, 45, 50, 56)
VALUES = {"gender": GENDERS, "age": AGES}
# Source and target: for ages, the one with most ratings and one with few.
DEFAULTS = {"gender": ("M", "F"), "age": (25, 56)}


def load(
    data_dir=None, history=False, seed=0, source=None, target=None, by="gender"
) -> TwoDomains:
    """Loads MovieLens-1M; the label is 1 for a rating above 3.

    All rows are shuffled and cut into 800,000 / 100,000 / 100,209, and then each
    part by gender (or age, which leaves rows of other ages out). The shuffle is
    ours, so the rows per gender and part differ a little from the paper's; the totals
    do not. They are sorted by user and movie beforehand: a seed gives the same split
    from the folder and from TFDS.

    Source: AutoFT (arXiv 2106.04873), section 4.1 and table 2. Age and zip code are
    not among its fields. How it builds its behaviour field is not said; ours, with
    `history=True`, is the movies that the user liked at a strictly earlier time, of
    the training rows only, so that no held-out label becomes a feature.

    Args:
        data_dir: Folder that holds `ml-1m/`. `None` takes the environment variable
            `TF_CTR_DATA`; without it, TFDS downloads `movielens/1m-ratings`.
        history: Whether there is a field of earlier liked movies.
        seed: Of the shuffle, and of the times drawn for rows without one.
        source: Gender of the source domain, `"M"` (the default) or `"F"`; by age one
            of `AGES`, 25 by default.
        target: Gender of the target domain, `"F"` by default; by age 56.
        by: What tells the domains apart, `"gender"` or `"age"`.

    Returns:
        The two domains. `timestamp` is a further column, missing in some rows of
        the folder's Parquet file, and never a feature.

    Raises:
        ValueError: For a wrong gender or age, or files that are not those of ML-1M.
        FileNotFoundError: If `data_dir` lacks a file.
        RuntimeError: If there is no folder and TFDS cannot provide the data.
    """
    check_name("column", by, VALUES)
    defaults = DEFAULTS[by]
    source = defaults[0] if source is None else source
    target = defaults[1] if target is None else target
    check_pair(by, source, target, VALUES[by])
    rows = read(data_dir or os.environ.get("TF_CTR_DATA"), sum(ROWS.values()))
    rows = rows.sort_values(["user_id", "movie_id"], ignore_index=True)
    of_split, of_times = np.random.default_rng(seed).spawn(2)
    order = of_split.permutation(len(rows))
    if history:
        times = known_times(rows, of_times)
        rows["history"] = _liked_before(rows, times, order[: ROWS["train"]])
    bounds = np.cumsum(list(ROWS.values()))[:-1]
    parts = [rows.iloc[part] for part in np.split(order, bounds)]
    domains = [
        Splits(*(part[part[by] == value].reset_index(drop=True) for part in parts))
        for value in (source, target)
    ]
    name = "movielens" if by == "gender" else "movielens_age"
    return TwoDomains.fit(name, _schema(history), *domains, item="movie_id")


def read(data_dir, num_rows):
    """Reads the rows from the folder, or from TFDS, and checks their number."""
    if data_dir:
        rows = from_folder(pathlib.Path(data_dir) / "ml-1m")
    else:
        rows = from_tfds(*fetch())
    if len(rows) != num_rows:
        raise ValueError(
            explain(
                f"the {num_rows:,} ratings of ML-1M",
                f"{len(rows):,} from {data_dir or 'TFDS'}",
                "unpack ml-1m.zip of https://grouplens.org/datasets/movielens/1m anew",
            )
        )
    return rows


def _schema(history):
    names = ("user_id", "gender", "occupation", "movie_id", "year")
    fields = [Categorical(name) for name in names]
    fields.append(Categorical("genres", multivalent=True))
    if history:
        fields.append(Sequence("history", of="movie_id", max_length=HISTORY_LENGTH))
    return Schema(fields, label="label", group="user_id")


def _liked_before(rows, times, train):
    liked = np.zeros(len(rows), bool)
    liked[train] = rows["label"].to_numpy()[train] == 1
    return earlier_clicks(
        rows["user_id"], times, rows["movie_id"], liked, HISTORY_LENGTH
    )


def known_times(rows, generator) -> np.ndarray:
    """Returns the times, those that are missing drawn from the same user's.

    In the Parquet file only rows with a low rating lack their time, so that a short
    or empty history in their place would betray the label.

    Args:
        rows: A frame with `user_id` and `timestamp`.
        generator: NumPy generator.

    Returns:
        Times as int64, `[n]`.

    Raises:
        ValueError: If a user has no known time.
    """
    missing = rows["timestamp"].isna().to_numpy()
    known = rows[~missing].sort_values("user_id", kind="stable")
    owners, wanted = known["user_id"].to_numpy(), rows["user_id"].to_numpy()[missing]
    start = np.searchsorted(owners, wanted, side="left")
    count = np.searchsorted(owners, wanted, side="right") - start
    if (count == 0).any():
        raise ValueError(
            explain(
                "at least one known timestamp for every user",
                f"none for user {wanted[count == 0][0]}",
                "load without history",
            )
        )
    pick = start + generator.integers(count)
    times = rows["timestamp"].to_numpy(dtype=np.int64, na_value=0)
    times[missing] = known["timestamp"].to_numpy(dtype=np.int64)[pick]
    return times
