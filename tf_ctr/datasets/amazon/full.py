"""All reviews of two categories of Amazon 2018, with the fields of the AutoFT paper."""

import numpy as np

from tf_ctr.datasets.amazon.reviews import FIX, read_reviews
from tf_ctr.datasets.checks import data_folder
from tf_ctr.datasets.domains import Splits, TwoDomains
from tf_ctr.errors import check_count, explain
from tf_ctr.features import Categorical, Schema


def load_full(
    data_dir=None,
    source="Toys_and_Games",
    target="Video_Games",
    min_count=1,
    seed=0,
) -> TwoDomains:
    """Loads two files of reviews; the label is 1 for a rating above 4.

    Each domain is shuffled and cut 8:1:1.

    Source: AutoFT (arXiv 2106.04873), section 4.1: its fields, label and split. Its
    text names the 5-core sets, its table 2 the row counts of the complete ones; both
    are published in this format. How it encodes the fields is not said: here `vote`
    is one id per number, `style` a list of ids, `reviewTime` one id per day. A vote
    is cast after the review: these fields suit a comparison, not a served model.

    Args:
        data_dir: Folder that holds `amazon-2018/`. `None` takes the environment
            variable `TF_CTR_DATA`.
        source: Category of the source; the file is `<category>.json.gz`.
        target: Category of the target.
        min_count: Users, items and styles seen less often share one embedding row.
        seed: Of the shuffles.

    Returns:
        The two domains. `overall` is no feature.

    Raises:
        ValueError: For a wrong argument, or a file of another form.
        FileNotFoundError: If there is no folder, or no such file.
    """
    if source == target:
        raise ValueError(
            explain("two different categories", f"{source!r} twice", "change one")
        )
    check_count("min_count", min_count, 1)
    check_count("seed", seed, 0)
    folder = data_folder(data_dir, "amazon-2018", FIX)
    generators = np.random.default_rng(seed).spawn(2)
    domains = [
        _split(read_reviews(folder / f"{category}.json.gz"), generator)
        for category, generator in zip((source, target), generators, strict=True)
    ]
    fields = [
        Categorical("reviewerID", min_count=min_count),
        Categorical("asin", min_count=min_count),
        Categorical("vote"),
        Categorical("style", multivalent=True, min_count=min_count),
        Categorical("reviewTime"),
    ]
    schema = Schema(fields, label="label", group="reviewerID")
    return TwoDomains.fit("amazon_full", schema, *domains, item="asin")


def _split(rows, generator):
    rows["label"] = (rows["overall"] > 4).astype("int8")
    bounds = [int(0.8 * len(rows)), int(0.9 * len(rows))]
    parts = np.split(generator.permutation(len(rows)), bounds)
    return Splits(*(rows.iloc[part].reset_index(drop=True) for part in parts))
