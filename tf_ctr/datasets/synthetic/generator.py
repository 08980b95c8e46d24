"""A seeded generator of two domains with known click probabilities."""

import numbers

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from tf_ctr.datasets.domains import Splits, TwoDomains, earlier_clicks
from tf_ctr.datasets.synthetic import world as worlds
from tf_ctr.datasets.synthetic.traits import MAX_TAGS
from tf_ctr.errors import check_count, explain
from tf_ctr.features import Categorical, Numeric, Schema, Sequence
from tf_ctr.metrics import exact_auc, exact_gauc, log_loss

HISTORY_LENGTH = 20


def generate(
    source_rows=320_000,
    target_rows=32_000,
    num_users=2_000,
    num_items=600,
    source_click_rate=0.25,
    target_click_rate=0.15,
    num_days=8,
    test_days=2,
    drift=0.1,
    user_overlap=0.7,
    item_overlap=0.7,
    domain_shift=0.25,
    tail=0.8,
    presence=1.0,
    spell_days=10,
    seed=0,
) -> TwoDomains:
    """Draws impressions of two domains from one world of users and items.

    A click is drawn with the probability in the column `click_probability`, so that
    `best_possible` knows what no model can beat. The model is stated in
    `synthetic_world`. City, age group, category, brand and tags tell something of
    the latent factors; `history` holds the items that the user clicked on earlier
    days of the same domain.

    The parts of the world are drawn independently: to change the size of one domain
    leaves the other as it is.

    Args:
        source_rows: Impressions of the source domain, spread evenly over the days.
        target_rows: Impressions of the target domain.
        num_users: Users of each domain.
        num_items: Items of each domain.
        source_click_rate: Mean true click probability of the source domain.
        target_click_rate: Mean true click probability of the target domain.
        num_days: Days from 0 on.
        test_days: The last days are the test split, the one before is validation.
        drift: Standard deviation of an item's daily step in popularity and appeal.
        user_overlap: Share of a domain's users that belong to the other one, too.
        item_overlap: Likewise for the items.
        domain_shift: Share of the variance of users' and items' factors that is
            specific to the domain; 0 makes clicks alike, 1 makes them unrelated.
        tail: Exponent of Zipf's law of how often users and items occur.
        presence: Probability that a user is there, in both domains, drawn anew for
            each of his spells; below 1 users come and go.
        spell_days: Days of a spell.
        seed: Of everything.

    Returns:
        The two domains. `day` and `click_probability` are no features.

    Raises:
        ValueError: For an argument outside its range.

    Example:

    >>> data = generate(source_rows=4000, target_rows=800, seed=7)
    >>> len(data.source.train), len(data.target.test)
    (2500, 200)
    """
    _check_counts(2, num_users=num_users, num_items=num_items)
    _check_counts(1, test_days=test_days, spell_days=spell_days)
    _check_counts(0, seed=seed)
    _check_counts(test_days + 2, num_days=num_days)
    _check_counts(num_days, source_rows=source_rows, target_rows=target_rows)
    _check_range(0, 2, drift=drift)
    _check_range(0, 10, tail=tail)
    _check_range(0, 1, user_overlap=user_overlap, item_overlap=item_overlap)
    _check_range(0, 1, domain_shift=domain_shift)
    _check_range(0.01, 1, presence=presence)
    _check_range(0.001, 0.999, source_click_rate=source_click_rate)
    _check_range(0.001, 0.999, target_click_rate=target_click_rate)
    of_world, of_source, of_target = np.random.default_rng(seed).spawn(3)
    world = worlds.create(
        of_world,
        num_users=num_users,
        num_items=num_items,
        user_overlap=user_overlap,
        item_overlap=item_overlap,
        domain_shift=domain_shift,
        tail=tail,
        num_days=num_days,
        drift=drift,
        presence=presence,
        spell_days=spell_days,
    )
    source = _frame(of_source, world, worlds.SOURCE, source_rows, source_click_rate)
    target = _frame(of_target, world, worlds.TARGET, target_rows, target_click_rate)
    splits = (_by_day(frame, num_days - test_days) for frame in (source, target))
    return TwoDomains.fit("synthetic", _schema(), *splits)


def oracle_scores(frame) -> np.ndarray:
    """Returns the true click probabilities, which no model's scores can beat."""
    return frame["click_probability"].to_numpy()


def best_possible(frame) -> dict[str, float]:
    """Returns AUC, LogLoss and GAUC of the true click probabilities.

    They are the best in expectation: on a small frame a model may, by luck, be a
    little better.
    """
    labels, scores = frame["click"].to_numpy(), oracle_scores(frame)
    groups = pd.factorize(frame["user_id"])[0]
    return {
        "auc": exact_auc(labels, scores),
        "log_loss": log_loss(labels, scores),
        "gauc": exact_gauc(labels, scores, groups).gauc,
    }


def _schema():
    fields = [
        Categorical("user_id"),
        Categorical("city"),
        Categorical("age_group"),
        Categorical("item_id"),
        Categorical("category"),
        Categorical("brand"),
        Categorical("tags", multivalent=True, max_length=MAX_TAGS),
        Numeric("price", transform="quantile", num_bins=10),
        Categorical("hour"),
        Categorical("device"),
        Sequence("history", of="item_id", max_length=HISTORY_LENGTH),
    ]
    return Schema(fields, label="click", group="user_id")


def _frame(generator, world, domain, rows, click_rate):
    users, items = world.users, world.items
    seen = worlds.impressions(generator, world, domain, rows)
    logits = worlds.logits(world, domain, seen)
    probability = expit(logits + _intercept(logits, click_rate))
    clicked = generator.random(rows) < probability
    user, item = seen["user"], seen["item"]
    item_ids = items.ids[item]
    columns = {
        "user_id": np.char.add("u", users.ids.astype(str))[user],
        "item_id": item_ids,
        **{name: values[user] for name, values in users.attributes.items()},
        **{name: values[item] for name, values in items.attributes.items()},
        "hour": seen["hour"],
        "device": worlds.DEVICES[seen["device"]],
        "history": earlier_clicks(user, seen["day"], item_ids, clicked, HISTORY_LENGTH),
        "click": clicked.astype(np.int8),
        "day": seen["day"],
        "click_probability": probability,
    }
    return pd.DataFrame(columns)


def _intercept(logits, click_rate):
    """The number that makes the mean probability the click rate."""
    return brentq(lambda b: expit(logits + b).mean() - click_rate, -50, 50)


def _by_day(frame, first_test):
    day = frame["day"]
    parts = (day < first_test - 1, day == first_test - 1, day >= first_test)
    return Splits(*(frame[part].reset_index(drop=True) for part in parts))


def _check_counts(minimum, **values):
    for name, value in values.items():
        check_count(name, value, minimum)


def _check_range(low, high, **values):
    for name, value in values.items():
        if not isinstance(value, numbers.Real) or not low <= value <= high:
            raise ValueError(
                explain(
                    f"`{name}` to be a number from {low} to {high}",
                    repr(value),
                    f"pass a {name} in this range",
                )
            )
