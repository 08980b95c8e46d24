"""Datasets: functions that return two domains with a fitted schema."""

import functools

from tf_ctr.datasets.amazon import full as amazon_full
from tf_ctr.datasets.amazon import sample as amazon
from tf_ctr.datasets.iaac import scenes as iaac
from tf_ctr.datasets.kuairand import tabs as kuairand
from tf_ctr.datasets.movielens import groups as movielens
from tf_ctr.datasets.synthetic import domains as synthetic

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
