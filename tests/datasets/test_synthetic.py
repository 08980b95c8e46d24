import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import OneHotEncoder

from tf_ctr.datasets import DATASETS, synthetic
from tf_ctr.datasets.domains import Splits, TwoDomains, earlier_clicks
from tf_ctr.datasets.synthetic import WorldOptions
from tf_ctr.datasets.synthetic import world as synthetic_world
from tf_ctr.datasets.synthetic.generator import HISTORY_LENGTH
from tf_ctr.datasets.synthetic.population import CATEGORIES
from tf_ctr.features import Categorical, Schema

OPTIONS = {field.name for field in dataclasses.fields(WorldOptions)}


def generate(**arguments):
    """`synthetic.generate` whose arguments may include those of `WorldOptions`."""
    world = {name: arguments.pop(name) for name in OPTIONS & arguments.keys()}
    return synthetic.generate(world=WorldOptions(**world), **arguments)


small = functools.partial(
    generate,
    source_rows=12_000,
    target_rows=4_000,
    num_users=100,
    num_items=80,
)


@pytest.fixture(scope="module")
def default():
    return synthetic.generate()


@pytest.fixture(scope="module")
def data():
    return small()


def frames(data):
    return [
        frame for domain in (data.source, data.target) for _, frame in domain.items()
    ]


def rows(domain):
    return pd.concat([frame for _, frame in domain.items()], ignore_index=True)


def assert_equal(first, second):
    pd.testing.assert_frame_equal(rows(first), rows(second))


def test_click_rates_match_the_arguments(default):
    for domain, rate in ((default.source, 0.25), (default.target, 0.15)):
        frame = rows(domain)
        assert frame["click_probability"].mean() == pytest.approx(rate, abs=1e-9)
        sigma = np.sqrt(rate * (1 - rate) / len(frame))
        assert abs(frame["click"].mean() - rate) < 4 * sigma


def test_labels_are_drawn_with_the_click_probability(default):
    for domain in (default.source, default.target):
        frame = rows(domain)
        bins = frame.groupby(pd.qcut(frame["click_probability"], 20))
        p = bins["click_probability"]
        variance = p.apply(lambda p: (p * (1 - p)).sum())
        assert ((bins["click"].sum() - p.sum()).abs() < 4 * np.sqrt(variance)).all()


def test_a_seed_gives_the_same_frames(data):
    again, other = small(), small(seed=1)
    for domain in ("source", "target"):
        assert_equal(getattr(data, domain), getattr(again, domain))
    assert not rows(data.source)["click"].equals(rows(other.source)["click"])


def test_the_size_of_one_domain_does_not_change_the_other(data):
    assert_equal(data.source, small(target_rows=2_000, click_rates=(0.25, 0.4)).source)
    assert_equal(data.target, small(source_rows=9_000).target)


def test_domains_are_not_copies_of_each_other():
    twins = small(source_rows=4_000, user_overlap=1, item_overlap=1, domain_shift=0)
    assert not rows(twins.source)["user_id"].equals(rows(twins.target)["user_id"])


@pytest.mark.parametrize("overlap", [0.0, 0.25, 1.0])
@pytest.mark.parametrize(("column", "count"), [("user", 100), ("item", 80)])
def test_overlap_matches_the_argument(column, count, overlap):
    # Without a tail and with 40 rows each, everybody occurs in both domains.
    data = small(tail=0.0, **{f"{column}_overlap": overlap})
    source, target = (
        set(rows(domain)[f"{column}_id"]) for domain in (data.source, data.target)
    )
    assert len(source) == len(target) == count
    assert len(source & target) == overlap * count


def test_attributes_belong_to_the_user_and_the_item(data):
    frame = pd.concat([rows(data.source), rows(data.target)])
    frame["tags"] = frame["tags"].map(tuple)
    users = frame.groupby("user_id")[["city", "age_group"]].nunique()
    items = frame.groupby("item_id")[["category", "brand", "tags", "price"]].nunique()
    assert (users == 1).all(axis=None)
    assert (items == 1).all(axis=None)
    assert (frame.groupby("brand")["category"].nunique() == 1).all()


def test_history_holds_clicks_of_the_same_user_on_earlier_days(data):
    for domain in (data.source, data.target):
        frame = rows(domain)
        clicks = frame[frame["click"] == 1]
        by_user = dict(list(clicks.groupby("user_id")))
        for row in frame.iloc[::7].itertuples():
            past = by_user.get(row.user_id, clicks[:0])
            past = past["item_id"][past["day"] < row.day].tolist()
            assert list(row.history) == past[-HISTORY_LENGTH:]
    assert (frame["history"].map(len)[frame["day"] == 0] == 0).all()


def test_earlier_clicks_agree_with_a_loop():
    generator = np.random.default_rng(0)
    user, item = generator.integers(5, size=200), generator.integers(9, size=200)
    # Negative times, ties, and an order that is not that of time.
    time, clicked = generator.integers(-8, 8, size=200), generator.random(200) < 0.5
    histories = earlier_clicks(user, time, item, clicked, max_length=4)
    for row, history in enumerate(histories):
        past = [
            (time[i], i)
            for i in range(200)
            if clicked[i] and user[i] == user[row] and time[i] < time[row]
        ]
        assert history.tolist() == [item[i] for _, i in sorted(past)][-4:]


def test_earlier_clicks_of_no_rows_are_empty():
    assert len(earlier_clicks([], [], [], [], 3)) == 0
    assert earlier_clicks([7], [1], [2], [True], 3)[0].tolist() == []


def test_splits_are_by_day():
    data = small(num_days=10, test_days=3)
    for domain in (data.source, data.target):
        days = [sorted(frame["day"].unique()) for _, frame in domain.items()]
        assert days == [[0, 1, 2, 3, 4, 5], [6], [7, 8, 9]]
    assert [len(frame) for frame in frames(data)] == [7200, 1200, 3600, 2400, 400, 1200]


def item_counts(drift):
    frame = rows(small(drift=drift, tail=0.5).source)
    return pd.crosstab(frame["day"], frame["item_id"])


def test_popularity_is_stationary_only_without_drift():
    assert chi2_contingency(item_counts(0.0)).pvalue > 1e-4
    assert chi2_contingency(item_counts(0.3)).pvalue < 1e-9


def create(num_users=400, num_items=300, num_days=5, **changes):
    options = {"user_overlap": 0.5, "item_overlap": 0.5, "domain_shift": 0.3}
    options |= {"tail": 1.0, "drift": 0.2, **changes}
    generator = np.random.default_rng(0)
    return synthetic_world.create(
        generator, num_users, num_items, num_days, WorldOptions(**options)
    )


def test_drift_is_the_size_of_a_daily_step():
    assert (create(drift=0).trend == 0).all()
    world = create()
    assert (world.trend[0] == 0).all()
    assert np.diff(world.trend, axis=0).std() == pytest.approx(0.2, rel=0.1)


def test_popularity_follows_zipfs_law():
    frame = rows(small(tail=1.0, drift=0.0, source_rows=30_000).source)
    ranks = np.arange(1, 101)
    harmonic = (1 / ranks).sum()
    # With all users in both domains, every rank occurs in the source.
    everyone = small(tail=1.0, user_overlap=1.0, source_rows=30_000)
    counts = rows(everyone.source)["user_id"].value_counts().to_numpy()[:3]
    expected = 30_000 / ranks[:3] / harmonic
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected)).all()
    assert frame["item_id"].value_counts().iloc[0] > 3 * 30_000 / 80


def test_domains_correlate_by_one_minus_the_shift():
    for shift in (0.0, 0.3, 1.0):
        users = create(domain_shift=shift).users
        source, target = users.factors.reshape(2, -1)
        correlation = np.corrcoef(source, target)[0, 1]
        assert correlation == pytest.approx(1 - shift, abs=0.1)
        assert np.corrcoef(*users.bias)[0, 1] == pytest.approx(1 - shift, abs=0.15)
        assert users.factors.std() == pytest.approx(1, rel=0.1)


def test_without_shift_both_domains_have_the_same_click_probabilities():
    world = create(domain_shift=0, user_overlap=1, item_overlap=1)
    seen = synthetic_world.impressions(np.random.default_rng(1), world, 0, 500)
    source, target = (synthetic_world.logits(world, d, seen) for d in (0, 1))
    np.testing.assert_array_equal(source, target)


def test_attributes_follow_the_factors():
    world = create()
    for population, name in ((world.users, "city"), (world.items, "category")):
        for factors in population.factors:
            groups = pd.DataFrame(factors).groupby(population.attributes[name])
            within = (groups.transform("mean") - factors).var().mean()
            assert within < 0.8 * factors.var()


def test_logit_agrees_with_hand_computed_numbers():
    world = create()
    seen = {"day": [3], "user": [10], "item": [20], "hour": [8], "device": [1]}
    seen = {name: np.array(values) for name, values in seen.items()}
    users, items = world.users, world.items
    price = np.log(items.attributes["price"])
    category = list(CATEGORIES).index(items.attributes["category"][20])
    expected = (
        1.5 * np.dot(users.factors[1, 10], items.factors[1, 20]) / 2
        + 0.6 * users.bias[1, 10]
        + 0.8 * (items.bias[1, 20] + world.trend[3, 20])
        - 0.4
        * (2 - users.attributes["age_group"][10] / 3)
        * ((price[20] - price.mean()) / price.std())
        + 0.3 * world.taste[1, category]
        - 0.3  # The hour farthest from 20 h.
    )
    (logit,) = synthetic_world.logits(world, synthetic_world.TARGET, seen)
    assert logit == pytest.approx(expected)


def test_no_scorer_beats_the_true_probability(default):
    train, test = default.target.train, default.target.test
    best = synthetic.best_possible(test)
    columns = ["city", "age_group", "category", "brand", "device", "hour", "item_id"]
    encoder = OneHotEncoder(handle_unknown="ignore").fit(train[columns])
    model = LogisticRegression(C=0.1, max_iter=200)
    model.fit(encoder.transform(train[columns]), train["click"])
    noise = np.random.default_rng(0).normal(size=len(test))
    logit = np.log(test["click_probability"] / (1 - test["click_probability"]))
    scorers = {
        "model": model.predict_proba(encoder.transform(test[columns]))[:, 1],
        "item rate": test["item_id"].map(train.groupby("item_id")["click"].mean()),
        "noisy": 1 / (1 + np.exp(-logit - 0.5 * noise)),
        "prior": np.full(len(test), 0.15),
    }
    for name, scores in scorers.items():
        scores = pd.Series(scores).fillna(0.15).clip(1e-6, 1 - 1e-6)
        assert roc_auc_score(test["click"], scores) < best["auc"], name
        assert log_loss(test["click"], scores) > best["log_loss"], name


def test_best_possible_agrees_with_scikit_learn(data):
    frame = data.target.test
    best = synthetic.best_possible(frame)
    labels, scores = frame["click"], synthetic.oracle_scores(frame)
    assert best["auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert best["log_loss"] == pytest.approx(log_loss(labels, scores))
    aucs, weights = [], []
    for _, group in frame.groupby("user_id"):
        if group["click"].nunique() == 2:
            aucs.append(roc_auc_score(group["click"], group["click_probability"]))
            weights.append(len(group))
    assert best["gauc"] == pytest.approx(np.average(aucs, weights=weights))


def test_schema_has_every_kind_of_field_but_not_the_label(data):
    names = {field.name for field in data.schema.fields}
    assert not names & {"click", "day", "click_probability"}
    assert names < set(data.target.test.columns)
    kinds = {type(field).__name__ for field in data.schema.fields}
    assert kinds == {"Categorical", "Numeric", "Sequence"}
    dtypes = {field.name: field.dtype for field in data.schema.fields if field.table}
    assert (dtypes["user_id"], dtypes["item_id"]) == ("string", "int64")
    encoded = data.schema.encode(data.schema.raw_columns(data.target.test))
    assert encoded["history"].shape == (1000, HISTORY_LENGTH)
    assert DATASETS["synthetic"] is synthetic.generate


def tiny_splits(users, held_out):
    def frame(ids):
        return pd.DataFrame({"user": ids, "item_id": ids, "click": [1, 0, 0]})

    return Splits(frame(users), frame(held_out), frame(held_out))


def test_two_domains_fit_on_training_rows_only_and_summarise():
    schema = Schema([Categorical("user"), Categorical("item_id")], group="user")
    source, target = (
        tiny_splits([1, 1, 2], [8, 8, 8]),
        tiny_splits([2, 3, 4], [1, 2, 9]),
    )
    data = TwoDomains.fit("tiny", schema, source, target)
    assert sorted(data.schema.field("user").vocabulary) == [1, 2, 3, 4]
    summary = data.summary()
    assert summary.index.names == ["domain", "split"]
    assert summary["rows"].tolist() == [3] * 6
    assert summary["users"].tolist() == [2, 1, 1, 3, 3, 3]
    assert summary["click_rate"].tolist() == pytest.approx([1 / 3] * 6)
    shared = [1 / 2, 0, 0, 1 / 3, 2 / 3, 2 / 3]
    assert summary["shared_users"].tolist() == pytest.approx(shared)
    assert summary["shared_items"].tolist() == pytest.approx(shared)


@pytest.mark.parametrize(
    "wrong",
    [
        {"source_rows": 7},
        {"target_rows": 0},
        {"num_users": 1},
        {"num_items": 2.5},
        {"num_days": 3},
        {"test_days": 0},
        {"test_days": 7},
        {"click_rates": (0.0, 0.5)},
        {"click_rates": (0.5, 1.0)},
        {"drift": -0.1},
        {"drift": float("nan")},
        {"user_overlap": 1.1},
        {"item_overlap": -0.1},
        {"domain_shift": "half"},
        {"tail": -1},
        {"presence": 0},
        {"spell_days": 0},
        {"seed": -1},
        {"seed": None},
    ],
)
def test_a_wrong_argument_is_refused(wrong):
    (name,) = wrong
    name = "num_days" if wrong == {"test_days": 7} else name
    with pytest.raises(ValueError, match=f"Expected `{name}`(.|\n)*Received(.|\n)*Fix"):
        generate(**wrong)


def test_users_are_absent_from_both_domains_at_the_same_time():
    data = generate(
        source_rows=60_000,
        target_rows=60_000,
        num_users=40,
        num_days=40,
        presence=0.5,
        spell_days=10,
        tail=0,
    )
    days = [
        pd.concat([frame for _, frame in domain.items()])
        .groupby("user_id")["day"]
        .unique()
        for domain in (data.source, data.target)
    ]
    longest = []
    for user in days[0].index:
        there = np.isin(np.arange(40), days[0][user])
        if user in days[1]:  # The same days in both domains.
            np.testing.assert_array_equal(np.sort(days[1][user]), np.flatnonzero(there))
        changes = np.flatnonzero(np.diff(there.astype(int)))
        # Every spell has ten days, whatever day the first one begins on.
        assert len(set(changes % 10)) <= 1
        longest.append(np.diff(np.sort(days[0][user])).max(initial=0))
    assert 0.4 < np.mean([len(own) for own in days[0]]) / 40 < 0.65
    assert max(longest) > 10


def test_without_absence_users_are_never_away():
    assert create().visits is None
    spells = [create(presence=0.5, spell_days=days).visits for days in (1, 4)]
    assert spells[0].shape == (5, len(create().users.ids))
    assert (spells[0] != spells[1]).any()


def test_a_day_on_which_everyone_is_absent_has_all_users():
    rare = {"num_users": 2, "presence": 0.01, "num_days": 30, "spell_days": 1}
    data = generate(source_rows=300, target_rows=300, **rare)
    assert len(data.source.train) == 270


def test_extreme_arguments_work():
    extreme = {
        "num_users": 2,
        "num_items": 2,
        "drift": 2.0,
        "tail": 10.0,
        "num_days": 30,
    }
    for frame in frames(small(**extreme)):
        assert frame["click_probability"].between(0, 1).all()
