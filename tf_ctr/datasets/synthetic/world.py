"""The users, items and clicks behind the synthetic data.

The true logit of a click on an item `i` by a user `u` of domain `s` on day `t` is

    b_s + PREFERENCE p_u . q_i / sqrt(K) + USER a_u + ITEM (c_i + w_it)
        - PRICE r_u z_i + DEVICE m_{device, category} + HOUR cos(hour - 20 h)

with factors `p, q` and biases `a, c` that are partly shared between the domains,
a random walk `w` over the days, the price `z` in standard units, and a sensitivity
to it `r` that falls with age.
"""

import dataclasses

import numpy as np

from tf_ctr.datasets.synthetic.traits import (
    AGE_GROUPS,
    CATEGORIES,
    item_traits,
    user_traits,
)

SOURCE, TARGET = 0, 1
NUM_FACTORS = 4
PREFERENCE, USER, ITEM, PRICE, DEVICE, HOUR = 1.5, 0.6, 0.8, 0.4, 0.3, 0.3

DEVICES = np.array(["desktop", "mobile", "tablet"])


@dataclasses.dataclass(frozen=True)
class Population:
    """The users, or the items, of both domains.

    Attributes:
        ids: Id of each, `[N]`.
        members: Per domain, the indices of those who belong to it.
        factors: Per domain, `[2, N, K]`, of variance 1.
        bias: Per domain, `[2, N]`, of variance 1.
        popularity: Weight of being drawn, `[N]`.
        attributes: Values by name, `[N]` each.
    """

    ids: np.ndarray
    members: tuple
    factors: np.ndarray
    bias: np.ndarray
    popularity: np.ndarray
    attributes: dict


@dataclasses.dataclass(frozen=True)
class World:
    """What both domains have in common.

    Attributes:
        users: The users.
        items: The items.
        trend: Random walk of every item, `[num_days, items]`, from 0 on day 0.
        taste: Appeal of a category on a device, `[devices, categories]`.
        visits: Whether a user is there, `[num_days, users]`; `None` for always.
    """

    users: Population
    items: Population
    trend: np.ndarray
    taste: np.ndarray
    visits: np.ndarray | None


def create(
    generator,
    num_users,
    num_items,
    user_overlap,
    item_overlap,
    domain_shift,
    tail,
    num_days,
    drift,
    presence,
    spell_days,
) -> World:
    """Draws a world; the arguments are those of `synthetic.generate`."""
    of_users, of_items, of_trend, of_taste, of_visits = generator.spawn(5)
    users = populate(of_users, num_users, user_overlap, domain_shift, tail, user_traits)
    items = populate(of_items, num_items, item_overlap, domain_shift, tail, item_traits)
    steps = drift * of_trend.normal(size=(num_days, len(items.ids)))
    steps[0] = 0
    taste = of_taste.normal(size=(len(DEVICES), len(CATEGORIES)))
    visits = None
    if presence < 1:
        visits = draw_visits(of_visits, len(users.ids), num_days, presence, spell_days)
    return World(users, items, steps.cumsum(axis=0), taste, visits)


def draw_visits(generator, num_users, num_days, presence, spell_days) -> np.ndarray:
    """Draws on which days users are there, whole spells at a time.

    Args:
        generator: NumPy generator.
        num_users: Users.
        num_days: Days.
        presence: Probability to be there in a spell.
        spell_days: Days of a spell; each user's begin on a day of his own.

    Returns:
        `[num_days, users]`.
    """
    phase = generator.integers(spell_days, size=num_users)
    spells = (np.arange(num_days)[:, None] + phase) // spell_days
    there = generator.random((spells.max() + 1, num_users)) < presence
    return there[spells, np.arange(num_users)]


def populate(generator, count, overlap, shift, tail, describe) -> Population:
    """Draws `count` users or items per domain, of whom a share `overlap` is common.

    Args:
        generator: NumPy generator.
        count: Number in each domain.
        overlap: Share of a domain's that belong to the other domain, too.
        shift: Share of the variance of factors and biases that is domain specific.
        tail: Exponent of Zipf's law of popularity; 0 makes all equally popular.
        describe: Function from generator and the common view of the factors,
            `[N, K]`, to attributes.

    Returns:
        The `Population`, of `2 count - round(overlap count)`.
    """
    common = round(overlap * count)
    size = 2 * count - common
    shared = generator.normal(size=(size, NUM_FACTORS + 1))
    own = generator.normal(size=(2, size, NUM_FACTORS + 1))
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


def impressions(generator, world, domain, rows) -> dict:
    """Draws who sees what and when, as indices: day, user, item, hour, device.

    Args:
        generator: NumPy generator.
        world: The `World`.
        domain: `SOURCE` or `TARGET`.
        rows: The number of impressions, spread evenly over the days.

    Returns:
        Arrays `[rows]` by name.
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
    for there, count in zip(world.visits, counts, strict=True):
        own = members[there[members]]
        # On a day on which nobody is there, all are.
        parts.append(_draw(generator, own if len(own) else members, weights, count))
    return np.concatenate(parts)


def logits(world, domain, seen) -> np.ndarray:
    """Returns the logit of every impression but for the domain's intercept.

    Args:
        world: The `World`.
        domain: `SOURCE` or `TARGET`.
        seen: What `impressions` returns.

    Returns:
        Logits, `[rows]`.
    """
    users, items, user, item = world.users, world.items, seen["user"], seen["item"]
    p, q = users.factors[domain, user], items.factors[domain, item]
    sensitivity = 2 - 2 * users.attributes["age_group"][user] / len(AGE_GROUPS)
    category = np.searchsorted(CATEGORIES, items.attributes["category"][item])
    return (
        PREFERENCE * (p * q).sum(axis=1) / np.sqrt(NUM_FACTORS)
        + USER * users.bias[domain, user]
        + ITEM * (items.bias[domain, item] + world.trend[seen["day"], item])
        - PRICE * sensitivity * _standardised(np.log(items.attributes["price"]))[item]
        + DEVICE * world.taste[seen["device"], category]
        + HOUR * np.cos(2 * np.pi * (seen["hour"] - 20) / 24)
    )


def _standardised(values):
    return (values - values.mean()) / values.std()


def _draw(generator, members, weights, size):
    p = weights[members]
    return generator.choice(members, size=size, p=p / p.sum())
