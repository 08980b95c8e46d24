"""The users and the items of the synthetic world, and their visible attributes.

City, age group, category, brand and tags follow the latent factors with some noise, so
that a model can infer the factors from them.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

NUM_FACTORS = 4
CITIES = np.array([f"city_{i:02d}" for i in range(12)])
AGE_GROUPS = np.arange(1, 7)
CATEGORIES = np.array("books fashion food games garden music sports tech".split())
BRANDS_PER_CATEGORY = 5
TAGS = np.array([f"tag_{i:02d}" for i in range(30)])
MAX_TAGS = 4


@dataclasses.dataclass(frozen=True)
class Population:
    """The users, or the items, of both domains.

    Attributes:
        ids: Id of each, `[N]`.
        members: The indices of the members, for each domain.
        factors: The factors in each domain, of variance 1, `[2, N, NUM_FACTORS]`.
        bias: The biases in each domain, of variance 1, `[2, N]`.
        popularity: The weights for drawing impressions, `[N]`.
        attributes: `{name: values [N]}`.
    """

    ids: np.ndarray
    members: tuple[np.ndarray, np.ndarray]
    factors: np.ndarray
    bias: np.ndarray
    popularity: np.ndarray
    attributes: dict[str, np.ndarray]


def populate(
    generator: np.random.Generator,
    count: int,
    overlap: float,
    shift: float,
    tail: float,
    describe: Callable[[np.random.Generator, np.ndarray], dict[str, np.ndarray]],
) -> Population:
    """Draws `count` users or items per domain, of which a share is in both.

    Args:
        generator: NumPy generator.
        count: Number in each domain.
        overlap: Share of a domain's members that also belong to the other domain.
        shift: Share of the variance of factors and biases that is domain specific.
        tail: Exponent of Zipf's law of popularity; 0 makes all equally popular.
        describe: `user_traits` or `item_traits`.

    Returns:
        The `Population`, of `2 count - round(overlap count)`.
    """
    common = round(overlap * count)
    size = 2 * count - common
    shared = generator.normal(size=(size, NUM_FACTORS + 1))
    own = generator.normal(size=(2, size, NUM_FACTORS + 1))
    # Weights whose squares add up to 1 keep the variance at 1.
    mixed = np.sqrt(1 - shift) * shared + np.sqrt(shift) * own
    factors = mixed[..., :-1]
    return Population(
        ids=1 + generator.permutation(size),
        members=(np.arange(count), np.arange(count - common, size)),
        factors=factors,
        bias=mixed[..., -1],
        popularity=(1.0 + generator.permutation(size)) ** -tail,
        attributes=describe(generator, factors.mean(axis=0)),
    )


def user_traits(
    generator: np.random.Generator, factors: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the city and the age group of users with factors `[N, NUM_FACTORS]`."""
    return {
        "city": CITIES[_cluster(generator, factors, len(CITIES))],
        "age_group": AGE_GROUPS[_cluster(generator, factors, len(AGE_GROUPS))],
    }


def item_traits(
    generator: np.random.Generator, factors: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns category, brand, tags and price of items, by their factors."""
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
