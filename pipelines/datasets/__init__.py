"""Datasets: functions that return two domains with a fitted schema."""

from pipelines.datasets import movielens, synthetic

DATASETS = {"synthetic": synthetic.generate, "movielens": movielens.load}

__all__ = ["DATASETS", "movielens", "synthetic"]
