"""What is seen of users and items of the synthetic world: it follows their factors."""

import numpy as np

CITIES = np.array([f"city_{i:02d}" for i in range(12)])
AGE_GROUPS = np.arange(1, 7)
CATEGORIES = np.array("books fashion food games garden music sports tech".split())
BRANDS_PER_CATEGORY = 5
TAGS = np.array([f"tag_{i:02d}" for i in range(30)])
MAX_TAGS = 4


def user_traits(generator, factors):
    """Returns city and age group by users' factors `[N, K]`, `[N]` each."""
    return {
        "city": CITIES[_cluster(generator, factors, len(CITIES))],
        "age_group": AGE_GROUPS[_cluster(generator, factors, len(AGE_GROUPS))],
    }


def item_traits(generator, factors):
    """Returns category, brand, tags and price by items' factors `[N, K]`."""
    category = _cluster(generator, factors, len(CATEGORIES))
    brand = _cluster(generator, factors, BRANDS_PER_CATEGORY)
    level = 0.7 * generator.normal(size=len(CATEGORIES))[category]
    return {
        "category": CATEGORIES[category],
        "brand": 1 + category * BRANDS_PER_CATEGORY + brand,
        "tags": _tags(generator, factors),
        "price": np.exp(2 + level + 0.5 * generator.normal(size=len(factors))).round(2),
    }


def _cluster(generator, factors, count):
    centres = generator.normal(size=(factors.shape[1], count))
    noise = 0.5 * generator.gumbel(size=(len(factors), count))
    return (factors @ centres + noise).argmax(axis=1)


def _tags(generator, factors):
    affinity = factors @ generator.normal(size=(factors.shape[1], len(TAGS)))
    ranked = (-affinity - generator.gumbel(size=affinity.shape)).argsort(axis=1)
    counts = generator.integers(MAX_TAGS + 1, size=len(factors))
    tags = np.empty(len(factors), object)
    tags[:] = [TAGS[row[:n]] for row, n in zip(ranked, counts, strict=True)]
    return tags
