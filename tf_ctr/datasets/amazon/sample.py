"""Loads a sample of Amazon's toys and games, with sampled negatives."""

import os
import pathlib
from typing import Literal

import numpy as np
import pandas as pd

from tf_ctr.datasets.checks import check_pair, find_folder, read_table
from tf_ctr.datasets.domains import Splits, TwoDomains, earlier_clicks
from tf_ctr.datasets.negatives import draw_negatives
from tf_ctr.datasets.tfds_rows import prepared
from tf_ctr.errors import check_count, check_name
from tf_ctr.features import Categorical, Schema, Sequence

FIX = (
    "put interactions.parquet in a folder amazon-toys-games/ and pass the folder that "
    "holds it as data_dir or name it in TF_CTR_DATA; for the published reviews, call "
    "amazon.load_full"
)
KINDS = {
    "reviewerID": "str",
    "asin": "str",
    "domain": "str",
    "unixReviewTime": "int64",
}
DOMAINS = ("Toys_and_Games", "Video_Games")
NEGATIVES = ("uniform", "popularity")
HISTORY_LENGTH = 50


def load(
    data_dir: str | os.PathLike[str] | None = None,
    source: str = "Toys_and_Games",
    target: str = "Video_Games",
    ratio: int = 1,
    negatives: Literal["uniform", "popularity"] = "uniform",
    seed: int = 0,
) -> TwoDomains:
    """Loads interactions of 7,996 users of both domains; items are disjoint.

    All interactions are positive. Each is followed by `ratio` negatives with the same
    user, time and history: items of the same domain that the user never interacted
    with in the whole sample, drawn from the items with an interaction in this or an
    earlier split. So the share of label 1 is exactly 1 / (1 + ratio) in every split,
    and no future item is a negative in training.

    The last interaction of a user in a domain is for test, the one before it for
    validation. The sample has only days, so ties are broken at random. Users with
    fewer than three interactions are in training only. `history` holds the items of
    both domains from strictly earlier days, of training rows only, so that no held-out
    label becomes a feature. A second review of an item is dropped. Training rows of one
    user may be later than test rows of another.

    Source: AutoFT (arXiv 2106.04873), section 4.1, for the pair of domains only: the
    sample has no ratings, so the paper's label cannot be made; see `load_full`.

    Args:
        data_dir: Folder that holds `amazon-toys-games/`. `None` reads the environment
            variable `TF_CTR_DATA`; without it, the loader asks TFDS.
        source: Source domain, `"Toys_and_Games"` or `"Video_Games"`.
        target: Target domain, the other one.
        ratio: Negatives per positive; 1 as in DIN's public code for Amazon.
        negatives: `"uniform"` over the items, or by `"popularity"`: in proportion to
            the interactions of an item up to and including the split.
        seed: Seed of ties and negatives.

    Returns:
        The two domains. `unixReviewTime` is not a feature.

    Raises:
        ValueError: For a wrong argument, or a file in another format.
        FileNotFoundError: If `data_dir` lacks the file.
        RuntimeError: If there is no folder and TFDS has nothing prepared.
    """
    check_pair("domain", source, target, DOMAINS)
    check_count("ratio", ratio, 1)
    check_count("seed", seed, 0)
    check_name("kind of negatives", negatives, NEGATIVES)
    rows = _positives(data_dir)
    # One stream per domain, so that swapping source and target keeps the negatives.
    of_ties, *of_negatives = np.random.default_rng(seed).spawn(1 + len(DOMAINS))
    rows["split"] = _leave_out(rows, of_ties)
    users = pd.factorize(rows["reviewerID"])[0]
    rows["history"] = earlier_clicks(
        users, rows["unixReviewTime"], rows["asin"], rows["split"] == 0, HISTORY_LENGTH
    )
    domains = {
        name: _with_negatives(rows[rows["domain"] == name], ratio, negatives, generator)
        for name, generator in zip(DOMAINS, of_negatives, strict=True)
    }
    fields = [
        Categorical("reviewerID"),
        Categorical("asin"),
        Sequence("history", of="asin", max_length=HISTORY_LENGTH),
    ]
    schema = Schema(fields, label="label", group="reviewerID")
    return TwoDomains.fit(
        "amazon", schema, domains[source], domains[target], item="asin"
    )


def from_folder(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Reads `interactions.parquet`: one row per review, all of them positive.

    Args:
        folder: The folder `amazon-toys-games`.

    Returns:
        The frame with the columns `KINDS`.

    Raises:
        ValueError: If a column is missing.
        FileNotFoundError: If the file is missing.
    """
    path = pathlib.Path(folder) / "interactions.parquet"
    return read_table(path, KINDS, FIX).astype(KINDS)


def _positives(data_dir):
    folder = find_folder(data_dir, "amazon-toys-games")
    if folder is None:
        rows = prepared("amazon_toys_games", "tf_ctr.datasets.amazon.tfds", KINDS)
    else:
        rows = from_folder(folder)
    rows = rows.sort_values(["reviewerID", "unixReviewTime", "asin"])
    return rows.drop_duplicates(["reviewerID", "asin"], ignore_index=True)


def _leave_out(rows, generator):
    """Returns 2 for a user's last row in a domain, 1 for the one before, else 0."""
    keys = [rows["reviewerID"], rows["domain"]]
    codes = [pd.factorize(key, sort=True)[0] for key in keys]
    order = np.lexsort(
        (generator.random(len(rows)), rows["unixReviewTime"], *reversed(codes))
    )
    groups = rows.iloc[order].groupby(["reviewerID", "domain"])["asin"]
    later, size = groups.cumcount(ascending=False), groups.transform("size")
    return (2 - later).clip(lower=0).where(size >= 3, 0)


def _with_negatives(rows, ratio, negatives, generator):
    users, items = (pd.factorize(rows[c], sort=True) for c in ("reviewerID", "asin"))
    frames = []
    for split in range(3):
        own = np.flatnonzero(rows["split"] == split)
        known = items[0][(rows["split"] <= split).to_numpy()]
        weights = np.bincount(known, minlength=len(items[1]))
        if negatives == "uniform":
            weights = np.minimum(weights, 1)
        wanted = np.repeat(users[0][own], ratio)
        drawn = draw_negatives(generator, wanted, weights, users[0], items[0])
        both = np.column_stack([items[0][own], drawn.reshape(-1, ratio)]).ravel()
        frame = rows.iloc[np.repeat(own, 1 + ratio)].drop(columns=["domain", "split"])
        label = np.tile([1] + [0] * ratio, len(own)).astype("int8")
        frame = frame.assign(asin=items[1][both], label=label)
        frames.append(frame.reset_index(drop=True))
    return Splits(*frames)
