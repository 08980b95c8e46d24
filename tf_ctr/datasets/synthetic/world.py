"""The world behind the synthetic data: impressions, and the logits of clicks.

The true logit of a click on an item `i` by a user `u` of domain `s` on day `t` is

    b_s + PREFERENCE p_u . q_i / sqrt(K) + USER a_u + ITEM (c_i + w_it)
        - PRICE r_u z_i + DEVICE m_{device, category} + HOUR cos(hour - 20 h)

with factors `p, q` and biases `a, c` that the domains share in part, a random walk `w`
over the days, the price `z` in standard units, and a price sensitivity `r` that falls
with age.
"""

import dataclasses
import math
import numbers

import numpy as np

from tf_ctr.datasets.synthetic.population import (
    AGE_GROUPS,
    CATEGORIES,
    NUM_FACTORS,
    Population,
    item_traits,
    populate,
    user_traits,
)
from tf_ctr.errors import check_count, explain

SOURCE, TARGET = 0, 1
PREFERENCE, USER, ITEM, PRICE, DEVICE, HOUR = 1.5, 0.6, 0.8, 0.4, 0.3, 0.3
DEVICES = np.array(["desktop", "mobile", "tablet"])


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldOptions:
    """Options for the similarity of the two domains, and their change over time.

    Attributes:
        user_overlap: Share of a domain's users that also belong to the other domain.
        item_overlap: Share of a domain's items that also belong to the other domain.
        domain_shift: Share of the variance of users' and items' factors that is
            specific to the domain; 0 makes clicks alike, 1 makes them unrelated.
        tail: Exponent of Zipf's law of how often users and items occur.
        drift: Standard deviation of an item's daily step in popularity and appeal.
        presence: Probability that a user is present in a spell, in both domains; below
            1 users come and go.
        spell_days: Days of a spell.

    Raises:
        ValueError: For a value outside its range.

    Example:

    >>> WorldOptions(drift=0.3, domain_shift=1).tail
    0.8
    """

    user_overlap: float = 0.7
    item_overlap: float = 0.7
    domain_shift: float = 0.25
    tail: float = 0.8
    drift: float = 0.1
    presence: float = 1.0
    spell_days: int = 10

    def __post_init__(self) -> None:
        """Checks every value."""
        check_range(0, 1, user_overlap=self.user_overlap)
        check_range(0, 1, item_overlap=self.item_overlap)
        check_range(0, 1, domain_shift=self.domain_shift)
        check_range(0, 10, tail=self.tail)
        check_range(0, 2, drift=self.drift)
        check_range(0.01, 1, presence=self.presence)
        check_count("spell_days", self.spell_days, 1)


def check_range(low: float, high: float, **values: float) -> None:
    """Raises unless every value is a number from `low` to `high`.

    Args:
        low: The smallest valid number.
        high: The largest valid number.
        **values: `name=value`.

    Raises:
        ValueError: For the first value that is not.
    """
    for name, value in values.items():
        if not isinstance(value, numbers.Real) or not low <= value <= high:
            raise ValueError(
                explain(
                    f"`{name}` to be a number from {low} to {high}",
                    repr(value),
                    f"pass a {name} in this range",
                )
            )


@dataclasses.dataclass(frozen=True)
class World:
    """The users, the items and the taste that both domains share.

    Attributes:
        users: The users.
        items: The items.
        trend: Random walk of every item, 0 on day 0, `[num_days, num_items]`.
        taste: Appeal of a category on a device, `[devices, categories]`.
        visits: Whether a user is present on a day, `[num_days, num_users]`; `None`
            if all are always present.
    """

    users: Population
    items: Population
    trend: np.ndarray
    taste: np.ndarray
    visits: np.ndarray | None


def create(
    generator: np.random.Generator,
    num_users: int,
    num_items: int,
    num_days: int,
    options: WorldOptions,
) -> World:
    """Draws a world; the arguments are those of `synthetic.generate`."""
    of_users, of_items, of_trend, of_taste, of_visits = generator.spawn(5)
    shared = options.domain_shift, options.tail
    users = populate(of_users, num_users, options.user_overlap, *shared, user_traits)
    items = populate(of_items, num_items, options.item_overlap, *shared, item_traits)
    steps = options.drift * of_trend.normal(size=(num_days, len(items.ids)))
    steps[0] = 0
    taste = of_taste.normal(size=(len(DEVICES), len(CATEGORIES)))
    visits = None
    if options.presence < 1:
        # All spells have the same length, but begin on different days for each user.
        phase = of_visits.integers(options.spell_days, size=len(users.ids))
        spells = (np.arange(num_days)[:, None] + phase) // options.spell_days
        shape = (spells.max() + 1, len(users.ids))
        present = of_visits.random(shape) < options.presence
        visits = present[spells, np.arange(len(users.ids))]
    return World(users, items, steps.cumsum(axis=0), taste, visits)


def impressions(
    generator: np.random.Generator, world: World, domain: int, rows: int
) -> dict[str, np.ndarray]:
    """Draws the user, item and time of each impression.

    Args:
        generator: NumPy generator.
        world: The `World`.
        domain: `SOURCE` or `TARGET`.
        rows: Number of impressions N, spread evenly over the days.

    Returns:
        Indices `[N]` by name: `day`, `user`, `item`, `hour` and `device`.
    """
    items, trend = world.items, world.trend
    day = np.arange(rows) * len(trend) // rows
    counts = np.bincount(day)
    item = [
        _draw(generator, items.members[domain], items.popularity * np.exp(walk), count)
        for walk, count in zip(trend, counts, strict=True)
    ]
    return {
        "day": day,
        "user": _draw_users(generator, world, domain, counts),
        "item": np.concatenate(item),
        "hour": generator.binomial(23, 0.6, size=rows),
        "device": generator.choice(len(DEVICES), size=rows, p=[0.3, 0.6, 0.1]),
    }


def _draw_users(generator, world, domain, counts):
    members, weights = world.users.members[domain], world.users.popularity
    if world.visits is None:
        return _draw(generator, members, weights, counts.sum())
    parts = []
    for present, count in zip(world.visits, counts, strict=True):
        own = members[present[members]]
        # Every day needs impressions: if nobody is present, all users are.
        parts.append(_draw(generator, own if len(own) else members, weights, count))
    return np.concatenate(parts)


def _draw(generator, members, weights, size):
    p = weights[members]
    return generator.choice(members, size=size, p=p / p.sum())


def logits(world: World, domain: int, seen: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the logit of every impression, without the domain's intercept `b_s`.

    Args:
        world: The `World`.
        domain: `SOURCE` or `TARGET`.
        seen: The impressions, as `impressions` returns them.

    Returns:
        Logits, `[N]`.
    """
    users, items, user, item = world.users, world.items, seen["user"], seen["item"]
    p, q = users.factors[domain, user], items.factors[domain, item]
    sensitivity = 2 - 2 * users.attributes["age_group"][user] / len(AGE_GROUPS)
    category = np.searchsorted(CATEGORIES, items.attributes["category"][item])
    price = np.log(items.attributes["price"])
    price = (price - price.mean()) / price.std()
    return (
        PREFERENCE * (p * q).sum(axis=1) / math.sqrt(NUM_FACTORS)
        + USER * users.bias[domain, user]
        + ITEM * (items.bias[domain, item] + world.trend[seen["day"], item])
        - PRICE * sensitivity * price[item]
        + DEVICE * world.taste[seen["device"], category]
        + HOUR * np.cos(2 * np.pi * (seen["hour"] - 20) / 24)
    )
