"""Generates seeded data of two domains with known click probabilities."""

import numpy as np
import pandas as pd

from tf_ctr.datasets.domains import Splits, TwoDomains, earlier_clicks
from tf_ctr.datasets.synthetic import world as worlds
from tf_ctr.datasets.synthetic.population import MAX_TAGS
from tf_ctr.datasets.synthetic.world import WorldOptions, check_range
from tf_ctr.errors import check_count
from tf_ctr.features import Categorical, Numeric, Schema, Sequence
from tf_ctr.metrics import exact_auc, exact_gauc, log_loss

HISTORY_LENGTH = 20


def generate(
    source_rows: int = 320_000,
    target_rows: int = 32_000,
    num_users: int = 2_000,
    num_items: int = 600,
    num_days: int = 8,
    test_days: int = 2,
    click_rates: tuple[float, float] = (0.25, 0.15),
    world: WorldOptions | None = None,
    seed: int = 0,
) -> TwoDomains:
    """Draws impressions of two domains from one world of users and items.

    A click is drawn with the probability in the column `click_probability`, so
    `best_possible` knows the metrics that no model can beat; the module
    `synthetic.world` states the formula. City, age group, category, brand and tags
    carry some information about the latent factors. `history` holds the items that the
    user clicked on earlier days in the same domain.

    The parts of the world are drawn independently: changing the size of one domain
    does not change the other.

    Args:
        source_rows: Impressions of the source domain, spread evenly over the days.
        target_rows: Impressions of the target domain.
        num_users: Users of each domain.
        num_items: Items of each domain.
        num_days: Days, counted from 0.
        test_days: The number of last days for the test split; the day before them is
            for validation.
        click_rates: Mean true click probability of the source and of the target.
        world: Similarity of the domains and their change; see `WorldOptions`.
        seed: Seed of everything.

    Returns:
        The two domains. `day` and `click_probability` are not features.

    Raises:
        ValueError: For an argument outside its range.

    Example:

    >>> data = generate(source_rows=4000, target_rows=800, seed=7)
    >>> len(data.source.train), len(data.target.test)
    (2500, 200)
    """
    check_count("num_users", num_users, 2)
    check_count("num_items", num_items, 2)
    check_count("test_days", test_days, 1)
    check_count("num_days", num_days, test_days + 2)
    check_count("source_rows", source_rows, num_days)
    check_count("target_rows", target_rows, num_days)
    check_count("seed", seed, 0)
    for rate in click_rates:
        check_range(0.001, 0.999, click_rates=rate)
    of_world, of_source, of_target = np.random.default_rng(seed).spawn(3)
    drawn = worlds.create(
        of_world, num_users, num_items, num_days, world or WorldOptions()
    )
    source, target = (
        _by_day(_frame(generator, drawn, domain, rows, rate), num_days - test_days)
        for generator, domain, rows, rate in (
            (of_source, worlds.SOURCE, source_rows, click_rates[0]),
            (of_target, worlds.TARGET, target_rows, click_rates[1]),
        )
    )
    return TwoDomains.fit("synthetic", _schema(), source, target)


def oracle_scores(frame: pd.DataFrame) -> np.ndarray:
    """Returns the true click probabilities, which no model's scores can beat."""
    return frame["click_probability"].to_numpy()


def best_possible(frame: pd.DataFrame) -> dict[str, float]:
    """Returns AUC, LogLoss and GAUC of the true click probabilities.

    They are the best in expectation: on a small frame a model may, by luck, score
    slightly better.
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
    probability = _sigmoid(logits + _intercept(logits, click_rate))
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


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _intercept(logits, click_rate):
    """Returns the number that makes the mean probability equal to the click rate."""
    low, high = -50.0, 50.0
    for _ in range(50):  # The mean grows with the number: bisect to 1e-13.
        middle = (low + high) / 2
        if _sigmoid(logits + middle).mean() < click_rate:
            low = middle
        else:
            high = middle
    return high


def _by_day(frame, first_test):
    day = frame["day"]
    parts = (day < first_test - 1, day == first_test - 1, day >= first_test)
    return Splits(*(frame[part].reset_index(drop=True) for part in parts))
