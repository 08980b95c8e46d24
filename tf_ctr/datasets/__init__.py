"""Data sets of two domains: each loader returns frames and a fitted schema.

A *domain* is a population with its own click log. A loader returns `TwoDomains`: a
large *source* and a small *target*, each with training, validation and test frames
(`Splits`), and one `Schema` fitted on the training rows of both. `load_whole` of
MovieLens and IAAC returns a single domain as `Splits` with its schema, and `daily`
cuts two domains into one frame per day (`Periods`) for continual training. Logs that
are too large for memory, Criteo, Avazu and Taobao, are `SplitLog`: one domain in a
published split, read block by block; `LOGS` maps their names to their loaders.

Real data is read from the folder `data_dir`, or from the folder in the environment
variable `TF_CTR_DATA`. `DATASETS` maps the name of a data set to its loader. To add a
data set, add a folder with a loader, and register the loader in `DATASETS`.
"""

import functools
from collections.abc import Callable

from tf_ctr.datasets import (
    amazon,
    avazu,
    criteo,
    iaac,
    kuairand,
    movielens,
    synthetic,
    taobao,
)
from tf_ctr.datasets.domains import Splits, TwoDomains, earlier_clicks
from tf_ctr.datasets.negatives import draw_negatives
from tf_ctr.datasets.periods import Periods, daily
from tf_ctr.datasets.split_log import SplitLog

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

# Logs of one domain, which are too large for memory.
LOGS: dict[str, Callable[..., SplitLog]] = {
    "avazu": avazu.load,
    "criteo": criteo.load,
    "taobao": taobao.load,
}

__all__ = [
    "DATASETS",
    "LOGS",
    "Periods",
    "SplitLog",
    "Splits",
    "TwoDomains",
    "daily",
    "draw_negatives",
    "earlier_clicks",
]


def __dir__() -> list[str]:
    logs = ["avazu", "criteo", "taobao"]
    return [*__all__, *logs, "amazon", "iaac", "kuairand", "movielens", "synthetic"]
