"""Datasets: functions that return two domains with a fitted schema."""

import functools

from pipelines.datasets import (
    amazon,
    amazon_full,
    iaac,
    kuairand,
    movielens,
    synthetic,
)

DATASETS = {
    "synthetic": synthetic.generate,
    "movielens": movielens.load,
    "movielens_age": functools.partial(movielens.load, by="age"),
    "kuairand": kuairand.load,
    "kuairand_ads": kuairand.load_ads,
    "amazon": amazon.load,
    "amazon_full": amazon_full.load,
    "iaac": iaac.load,
}

__all__ = [
    "DATASETS",
    "amazon",
    "amazon_full",
    "iaac",
    "kuairand",
    "movielens",
    "synthetic",
]
