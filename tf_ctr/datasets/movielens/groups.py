"""MovieLens-1M as two domains by gender or age, and as a single one."""

import os
from typing import Literal

import numpy as np
import pandas as pd

from tf_ctr.datasets.checks import check_pair, find_folder
from tf_ctr.datasets.domains import Splits, TwoDomains, earlier_clicks
from tf_ctr.datasets.movielens.files import from_folder
from tf_ctr.datasets.movielens.tfds import fetch, from_tfds
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Categorical, Schema, Sequence

# The sums of the rows of both domains in AutoFT's table 2.
ROWS = {"train": 800_000, "validation": 100_000, "test": 100_209}
HISTORY_LENGTH = 50
# Each group is named by its lowest age; 1 is under 18.
AGES = (1, 18, 25, 35, 45, 50, 56)
VALUES: dict[str, tuple] = {"gender": ("M", "F"), "age": AGES}
# Source and target; for ages, the group with most ratings and a group with few.
DEFAULTS: dict[str, tuple] = {"gender": ("M", "F"), "age": (25, 56)}
FIELDS = ("user_id", "gender", "occupation", "movie_id", "year")


def load(
    data_dir: str | os.PathLike[str] | None = None,
    history: bool = False,
    seed: int = 0,
    source: str | int | None = None,
    target: str | int | None = None,
    by: Literal["gender", "age"] = "gender",
) -> TwoDomains:
    """Loads MovieLens-1M as two domains; the label is 1 for a rating above 3.

    All rows are shuffled and cut into 800,000 / 100,000 / 100,209. Each part is then
    divided by gender, or by age, where rows of other ages are dropped. The shuffle is
    ours, so the rows per gender and part differ a little from the paper's; the totals
    do not. The rows are sorted by user and movie before the shuffle, so that a seed
    gives the same split from the folder and from TFDS.

    Source: AutoFT (arXiv 2106.04873), section 4.1 and table 2. Age and zip code are
    not among its fields. It does not say how it builds its behaviour field; ours, with
    `history=True`, is the movies that the user liked at a strictly earlier time, of
    training rows only, so that no held-out label becomes a feature.

    Args:
        data_dir: Folder that holds `ml-1m/`. `None` reads the environment variable
            `TF_CTR_DATA`; without it, TFDS downloads `movielens/1m-ratings`.
        history: Whether to add a field of movies liked earlier.
        seed: Seed of the shuffle, and of the times drawn for rows without one.
        source: Gender of the source domain, `"M"` (the default) or `"F"`; by age one
            of `AGES`, 25 by default.
        target: Gender of the target domain, `"F"` by default; by age 56.
        by: The column that separates the domains, `"gender"` or `"age"`.

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
    rows = _read(data_dir)
    of_split, of_times = np.random.default_rng(seed).spawn(2)
    order = of_split.permutation(len(rows))
    if history:
        liked = np.zeros(len(rows), bool)
        train = order[: ROWS["train"]]
        liked[train] = rows["label"].to_numpy()[train] == 1
        rows["history"] = earlier_clicks(
            rows["user_id"],
            known_times(rows, of_times),
            rows["movie_id"],
            liked,
            HISTORY_LENGTH,
        )
    parts = _cut(rows, order)
    first, second = (
        Splits(*(part[part[by] == value].reset_index(drop=True) for part in parts))
        for value in (source, target)
    )
    field = Sequence("history", of="movie_id", max_length=HISTORY_LENGTH)
    schema = _schema([field] if history else [])
    name = "movielens" if by == "gender" else "movielens_age"
    return TwoDomains.fit(name, schema, first, second, item="movie_id")


def load_whole(
    data_dir: str | os.PathLike[str] | None = None,
    genre_string: bool = False,
    seed: int = 0,
) -> tuple[Splits, Schema]:
    """Loads all of MovieLens-1M as one domain; the label is 1 for a rating above 3.

    Source: APG (arXiv 2203.16218), section 4.1, only names the data. We inferred the
    six fields from the memory in its table 5 (six concatenated embeddings of width 32);
    the random 8:1:1 split and the threshold are ours.

    Args:
        data_dir: Folder that holds `ml-1m/`; see `load`.
        genre_string: Whether to add a field `genre_string`, all genres of a movie as
            one value: the coarse-grained domain of the paper's table 6.
        seed: Seed of the shuffle.

    Returns:
        `Splits`, and the schema fitted on `Splits.train`.

    Raises:
        ValueError: For files that are not those of ML-1M.
        FileNotFoundError: If `data_dir` lacks a file.
        RuntimeError: If there is no folder and TFDS cannot provide the data.
    """
    rows = _read(data_dir)
    extra = []
    if genre_string:
        rows["genre_string"] = rows["genres"].str.join("|")
        extra = [Categorical("genre_string")]
    parts = _cut(rows, np.random.default_rng(seed).permutation(len(rows)))
    splits = Splits(*(part.reset_index(drop=True) for part in parts))
    return splits, _schema(extra).fit(splits.train)


def _read(data_dir):
    """Returns the rows of the folder, or of TFDS, in the same order."""
    folder = find_folder(data_dir, "ml-1m")
    rows = from_tfds(*fetch()) if folder is None else from_folder(folder)
    expected = sum(ROWS.values())
    if len(rows) != expected:
        raise ValueError(
            explain(
                f"the {expected:,} ratings of ML-1M",
                f"{len(rows):,} from {folder or 'TFDS'}",
                "unpack ml-1m.zip of https://grouplens.org/datasets/movielens/1m again",
            )
        )
    return rows.sort_values(["user_id", "movie_id"], ignore_index=True)


def _cut(rows, order):
    bounds = np.cumsum(list(ROWS.values()))[:-1]
    return [rows.iloc[part] for part in np.split(order, bounds)]


def _schema(extra):
    fields = [
        *(Categorical(name) for name in FIELDS),
        Categorical("genres", multivalent=True),
        *extra,
    ]
    return Schema(fields, label="label", group="user_id")


def known_times(rows: pd.DataFrame, generator: np.random.Generator) -> np.ndarray:
    """Returns the times of the rows; a missing one is drawn from the same user's times.

    In the folder's Parquet file, only rows with a low rating lack a time: an empty or
    short history for these rows would reveal the label.

    Args:
        rows: A frame with `user_id` and `timestamp`.
        generator: NumPy generator.

    Returns:
        Times as int64, `[N]`.

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
