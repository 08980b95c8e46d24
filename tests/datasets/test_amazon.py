import numpy as np
import pandas as pd
import pytest

from tests.support.dataset_folders import (
    amazon_interactions,
    real_folder,
    rows,
    write_amazon,
)
from tf_ctr.datasets import DATASETS, amazon, draw_negatives
from tf_ctr.datasets.amazon.sample import NEGATIVES

INTERACTIONS = amazon_interactions()
DISTINCT = INTERACTIONS.sort_values("unixReviewTime").drop_duplicates(
    ["reviewerID", "asin"]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_amazon(tmp_path_factory.mktemp("data"), INTERACTIONS)


@pytest.fixture(scope="module")
def data(folder):
    return amazon.load(folder)


def positives(frame):
    return frame[frame["label"] == 1]


def test_positives_are_the_interactions_without_repeats(data):
    assert len(DISTINCT) < len(INTERACTIONS)
    for domain, name in (
        (data.source, "Toys_and_Games"),
        (data.target, "Video_Games"),
    ):
        expected = DISTINCT[DISTINCT["domain"] == name]
        columns = ["reviewerID", "asin", "unixReviewTime"]
        found = positives(rows(domain))[columns].sort_values(columns)
        expected = expected[columns].astype(found.dtypes).sort_values(columns)
        assert found.to_numpy().tolist() == expected.to_numpy().tolist()


@pytest.mark.parametrize("kind", NEGATIVES)
@pytest.mark.parametrize("ratio", [1, 3])
def test_negatives_are_items_already_in_the_domain_but_new_to_the_user(
    folder, ratio, kind
):
    data = amazon.load(folder, ratio=ratio, negatives=kind)
    known = set(zip(DISTINCT["reviewerID"], DISTINCT["asin"], strict=True))
    for domain in (data.source, data.target):
        seen = set()
        for _, frame in domain.items():
            assert frame["label"].mean() == 1 / (1 + ratio)
            seen |= set(positives(frame)["asin"])
            negative = frame[frame["label"] == 0]
            pairs = set(zip(negative["reviewerID"], negative["asin"], strict=True))
            assert not pairs & known
            assert set(negative["asin"]) <= seen
            # A negative shares all but the item with the positive before it.
            shared = ["reviewerID", "unixReviewTime"]
            groups = frame[shared].to_numpy().reshape(-1, 1 + ratio, 2)
            assert (groups == groups[:, :1]).all()


def test_split_holds_out_the_last_two_interactions_of_each_user(data):
    for domain in (data.source, data.target):
        train, validation, test = (
            positives(frame).groupby("reviewerID")["unixReviewTime"]
            for _, frame in domain.items()
        )
        assert "B" not in test.groups
        assert "B" not in validation.groups
        assert "B" in train.groups
        assert (test.size() == 1).all()
        assert (validation.size() == 1).all()
        users = list(test.groups)
        assert len(users) == 20
        last = test.max()
        assert (validation.max()[users] <= last).all()
        assert (train.max()[users] <= validation.min()[users]).all()


def test_history_is_earlier_training_items_of_both_domains(data):
    train = pd.concat([positives(data.source.train), positives(data.target.train)])
    lengths = []
    for domain in (data.source, data.target):
        for _, frame in domain.items():
            for row in frame.iloc[::4].itertuples():
                past = train[train["reviewerID"] == row.reviewerID]
                past = past[past["unixReviewTime"] < row.unixReviewTime]
                past = past.sort_values(["unixReviewTime", "asin"])
                assert list(row.history) == past["asin"].tolist()[-50:]
                assert row.asin not in row.history
                lengths.append(len(past))
    assert max(lengths) > 10


def test_ties_in_time_are_broken_by_chance(folder):
    first, other = (amazon.load(folder, seed=seed).target.test for seed in (0, 1))
    assert not positives(first)["asin"].equals(positives(other)["asin"])
    pd.testing.assert_frame_equal(first, amazon.load(folder).target.test)


def test_the_order_of_lines_in_the_file_does_not_matter(folder, data, tmp_path):
    shuffled = INTERACTIONS.sample(frac=1, random_state=1)
    again = amazon.load(write_amazon(tmp_path, shuffled))
    pd.testing.assert_frame_equal(again.target.train, data.target.train)


def test_domains_can_be_swapped(folder, data):
    swapped = amazon.load(folder, source="Video_Games", target="Toys_and_Games")
    pd.testing.assert_frame_equal(swapped.source.test, data.target.test)
    assert DATASETS["amazon"] is amazon.load


def test_schema_has_the_documented_fields(data):
    assert [f.name for f in data.schema.fields] == ["reviewerID", "asin", "history"]
    assert (data.schema.label, data.schema.group) == ("label", "reviewerID")
    train = pd.concat([data.source.train, data.target.train])
    assert set(data.schema.field("asin").vocabulary) == set(train["asin"])
    assert set(train["asin"]) == set(positives(train)["asin"])


def test_negatives_are_drawn_in_proportion_to_the_weights():
    generator = np.random.default_rng(0)
    users = np.repeat([0, 1], 20_000)
    items = draw_negatives(generator, users, [1, 3, 0, 4], [0], [3])
    first, second = items[:20_000], items[20_000:]
    assert np.bincount(first, minlength=4) / 20_000 == pytest.approx(
        [1 / 4, 3 / 4, 0, 0], abs=0.02
    )
    assert np.bincount(second, minlength=4) / 20_000 == pytest.approx(
        [1 / 8, 3 / 8, 0, 1 / 2], abs=0.02
    )


def test_a_user_who_knows_every_item_is_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="user of code 1 knows all 2 items"):
        draw_negatives(generator, [0, 1], [1, 1, 0], [1, 1], [0, 1])
    drawn = draw_negatives(generator, [0], [1, 1, 0], [1, 1], [0, 1])
    assert drawn[0] in (0, 1)
    assert not len(draw_negatives(generator, [], [1], [], []))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"source": "Books"}, "name of a domain(.|\n)*'Books'"),
        ({"source": "Video_Games"}, "two different values of domain"),
        ({"ratio": 0}, "`ratio`"),
        ({"negatives": "hard"}, "kind of negatives(.|\n)*popularity, uniform"),
        ({"seed": None}, "`seed`"),
    ],
)
def test_wrong_arguments_are_found_before_any_file_is_read(wrong, message):
    with pytest.raises(ValueError, match=message):
        amazon.load("nowhere", **wrong)


def test_missing_files_and_columns_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="interactions.parquet(.|\n)*Fix"):
        amazon.load(tmp_path)
    write_amazon(tmp_path, INTERACTIONS.drop(columns="asin"))
    with pytest.raises(ValueError, match="columns .'asin'. in"):
        amazon.load(tmp_path)


def test_real_files_have_the_published_counts():
    summary = amazon.load(real_folder("amazon-toys-games")).summary()
    totals = summary["rows"].groupby("domain").sum().to_dict()
    # Of 114,487 and 82,871 interactions, 7,351 are repeated.
    assert totals == {"source": 2 * 110_836, "target": 2 * 79_171}
    assert (summary["click_rate"] == 0.5).all()
    assert (summary["shared_items"] == 0).all()
    assert (summary["users"] > 7900).all()
