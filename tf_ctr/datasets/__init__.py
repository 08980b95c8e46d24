"""Data sets of two domains: each loader returns frames and a fitted schema.

A *domain* is a population with its own click log. A loader returns `TwoDomains`: a
large *source* and a small *target*, each with training, validation and test frames
(`Splits`), and one `Schema` fitted on the training rows of both. `load_whole` of
MovieLens and IAAC returns a single domain as `Splits` with its schema, and `daily`
cuts two domains into one frame per day (`Periods`) for continual training.

Real data is read from the folder `data_dir`, or from the folder in the environment
variable `TF_CTR_DATA`. `DATASETS` maps the name of a data set to its loader. To add a
data set, add a folder with a loader, and register the loader in `DATASETS`.
"""

import functools
from collections.abc import Callable

from tf_ctr.datasets import amazon, iaac, kuairand, movielens, synthetic
from tf_ctr.datasets.domains import Splits, TwoDomains, earlier_clicks
from tf_ctr.datasets.negatives import draw_negatives
from tf_ctr.datasets.periods import Periods, daily

DATASETS: dict[str, Callable[..., TwoDomains]] = {
    "synthetic": synthetic.generate,
    "movielens": movielens.load,
    "movielens_age": functools.partial(movielens.load, by="age"),
    "kuairand": kuairand.load,
    "kuairand_ads": kuairand.load_ads,
    "amazon": amazon.load,
    "amazon_full": amazon.load_full,
    "iaac": iaac.load,
}

__all__ = [
    "DATASETS",
    "Periods",
    "Splits",
    "TwoDomains",
    "daily",
    "draw_negatives",
    "earlier_clicks",
]


def __dir__() -> list[str]:
    return [*__all__, "amazon", "iaac", "kuairand", "movielens", "synthetic"]
