"""A schema learns new ids without moving the known ones."""

import numpy as np
import pandas as pd
import pytest

from tests.support.frames import click_frame, click_schema
from tf_ctr.features import Categorical, Numeric, Schema, Sequence

# Of users a, b and items 5, 7; then of a new user c, and new items 9 (twice) and 3.
FIRST = pd.DataFrame({"user": ["a", "b", "a"], "item": [7, 5, 7]})
SECOND = pd.DataFrame({"user": ["c", "b", None], "item": [9, 3, 9]})


@pytest.fixture
def schema():
    return Schema([Categorical("user"), Categorical("item")]).fit(FIRST)


def test_new_ids_follow_the_known_ones_most_frequent_first(schema):
    grown = schema.extend(SECOND)
    assert grown.field("user").vocabulary == ("a", "b", "c")
    assert grown.field("item").vocabulary == (7, 5, 9, 3)


def test_extend_leaves_the_schema_itself_unchanged(schema):
    schema.extend(SECOND)
    assert schema.field("item").vocabulary == (7, 5)
    assert schema.summary()["rows"].tolist() == [4, 4]


def test_known_ids_are_encoded_as_before_and_new_ones_get_a_row(schema):
    old = schema.encode(schema.raw_columns(FIRST))
    grown = schema.extend(SECOND)
    new = grown.encode(grown.raw_columns(FIRST))
    for name in old:
        np.testing.assert_array_equal(new[name], old[name])
    encoded = grown.encode(grown.raw_columns(SECOND))
    np.testing.assert_array_equal(encoded["user"], [4, 3, 0])
    np.testing.assert_array_equal(encoded["item"], [4, 5, 4])


def test_extending_by_known_ids_changes_nothing(schema):
    assert schema.extend(FIRST).fields == schema.fields
    assert schema.extend(SECOND).extend(SECOND).fields == schema.extend(SECOND).fields


def test_rare_new_ids_stay_unseen_and_known_ids_stay_at_any_count():
    schema = Schema([Categorical("item", min_count=2)])
    schema.fit(pd.DataFrame({"item": [1, 1]}))
    grown = schema.extend(pd.DataFrame({"item": [1, 8, 9, 9]}))
    assert grown.field("item").vocabulary == (1, 9)


def test_data_with_only_missing_and_rare_ids_is_accepted():
    schema = Schema([Categorical("item", min_count=2)])
    schema.fit(pd.DataFrame({"item": [1, 1]}))
    grown = schema.extend(pd.DataFrame({"item": [None, 3.0]}))
    assert grown.fields == schema.fields


def test_a_given_vocabulary_and_all_other_arguments_stay():
    fields = [
        Categorical("gender", vocabulary=["F", "M"]),
        Categorical("device", num_buckets=3),
        Categorical("tags", multivalent=True, num_oov=2),
        Numeric("price"),
        Numeric("age", "quantile", num_bins=2),
        Sequence("history", of="tags", max_length=2),
    ]
    first = pd.DataFrame(
        {
            "gender": ["F", "M"],
            "device": ["x", "y"],
            "tags": [["p"], ["q", "p"]],
            "price": [1.0, 3.0],
            "age": [20.0, 40.0],
            "history": [["p"], []],
        }
    )
    schema = Schema(fields).fit(first)
    second = first.assign(gender="D", price=9.0, age=90.0, tags=[["r", "p", "q"]] * 2)
    grown = schema.extend(second)
    assert grown.field("tags").vocabulary == ("p", "q", "r")
    assert grown.field("tags").max_length == 2
    assert grown.field("history").table_size == 1 + 2 + 3
    for name in ("gender", "device", "price", "age"):
        assert grown.field(name) == schema.field(name)


def test_coverage_is_measured_on_the_new_data(schema):
    coverage = schema.extend(SECOND).coverage
    assert coverage == {"user": pytest.approx(2 / 3), "item": 1.0}


def test_a_grown_schema_survives_its_file_and_grows_again(schema, tmp_path):
    schema.extend(SECOND).save(tmp_path / "schema.json")
    copy = Schema.load(tmp_path / "schema.json")
    third = pd.DataFrame({"user": ["d"], "item": [7]})
    assert copy.extend(third).field("user").vocabulary == ("a", "b", "c", "d")
    assert copy.fit(third).field("user").vocabulary == ("d",)  # Learned, not given.


def test_every_kind_of_field_extends_in_chunks():
    schema, more = click_schema(), click_frame(seed=3)
    more["item"] += 5
    whole = schema.extend(more)
    assert whole.fields == schema.extend([more[:20], more[20:]]).fields
    assert whole.field("item").vocabulary[:12] == schema.field("item").vocabulary
    assert max(whole.field("item").vocabulary) > 111


def test_an_unfitted_schema_and_empty_data_are_refused(schema):
    with pytest.raises(ValueError, match="call schema.fit"):
        Schema([Categorical("item")]).extend(SECOND)
    with pytest.raises(ValueError, match="at least one row"):
        schema.extend(SECOND[:0])
    with pytest.raises(TypeError, match="ids of dtype int64 in column 'item'"):
        schema.extend(SECOND.assign(item="x"))
