"""Combinations of values, computed from the fields that they combine."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.features.test_errors import fails
from tf_ctr import Categorical, Cross, Numeric, Schema, TimeOf, data
from tf_ctr.backbones import dnn

FRAME = pd.DataFrame(
    {
        "city": ["b", "b", "p", None, "new", "other"],
        "item": [7, 7, 7, 7, 7, 7],
        "time": pd.to_datetime(["2024-02-29 17:00"] * 6),
        "age": [20.0, 60.0, 20.0, 20.0, 20.0, 20.0],
        "click": [0, 1, 0, 1, 0, 1],
    }
)


def fields():
    return [
        Cross(("city", "item"), num_buckets=1000),
        Cross("all", 500, ["city", "hour", "bin"]),
        Categorical("city", ["b", "p"]),
        Categorical("item"),
        TimeOf("hour", column="time"),
        Numeric("bin", "quantile", boundaries=[50.0], column="age"),
    ]


@pytest.fixture(scope="module")
def schema():
    return Schema(fields()).fit(FRAME)


def bucket(text, count):
    return 1 + tf.strings.to_hash_bucket_fast(text, count).numpy()


def test_a_combination_is_hashed_and_missing_where_a_part_is(schema):
    encoded = schema.encode(schema.raw_columns(FRAME))
    assert list(encoded) == ["city_x_item", "all", "city", "item", "hour", "bin"]
    expected = [
        0 if pd.isna(city) else bucket(f"{city}\x1f7", 1000) for city in FRAME["city"]
    ]
    # Ids that the vocabulary lacks are combined as they are.
    assert expected[4] != expected[5]
    assert encoded["city_x_item"].numpy().tolist() == expected
    of_all = encoded["all"].numpy()
    assert of_all[0] == bucket("b\x1f18\x1f1", 500)
    assert of_all[1] == bucket("b\x1f18\x1f2", 500) and of_all[3] == 0


def test_it_has_no_column_and_no_input_of_a_request(schema):
    assert set(schema.raw_columns(FRAME)) == {"city", "item", "hour", "bin"}
    assert set(schema.raw_signature()) == {"city", "item", "hour", "bin"}
    assert set(schema.inputs()) == {"city_x_item", "all", "city", "item", "hour", "bin"}
    assert set(schema.example_rows(3)) == {"city", "item", "time", "age"}
    cross = schema.field("all")
    assert len(cross.row_keys()) == cross.table_size == 501
    fails(lambda: cross.raw_values(FRAME), "'all'", kind=TypeError)


def test_a_part_may_share_the_table_of_another_field():
    fields = [
        Categorical("city"),
        Categorical("next", table="city"),
        Cross(("city", "next"), 50),
    ]
    frame = FRAME.assign(next=FRAME["city"].shift(1))
    schema = Schema(fields).fit(frame)
    rows = schema.encode(schema.raw_columns(frame))["city_x_next"].numpy()
    assert rows.tolist()[:3] == [0, bucket("b\x1fb", 50), bucket("p\x1fb", 50)]


def test_every_way_to_read_rows_combines_alike(schema, tmp_path):
    expected = schema.encode(schema.raw_columns(FRAME))
    [(read, _)] = data.from_frame(FRAME, schema, batch_size=6)
    FRAME.to_parquet(tmp_path / "rows.parquet")
    [(of_file, _)] = data.from_parquet(
        str(tmp_path / "rows.parquet"), schema, batch_size=6
    )
    for features in (read, of_file):
        for name, rows in expected.items():
            np.testing.assert_array_equal(features[name], rows)
    model = dnn(schema, 2, hidden_units=(3,))
    assert model.get_layer("all_embedding").input_dim == 501
    assert model(read).shape == (6, 1)


def test_users_are_repeated_for_their_candidates(schema):
    users = schema.encode({"city": ["b"], "item": [7], "hour": [0], "bin": [1.0]})
    one = {"city": ["b", "p"], "item": [7, 8, 9, 7], "hour": [0] * 2, "bin": [1.0] * 2}
    encoded = schema.encode(one)
    expected = [
        bucket(f"{c}\x1f{i}", 1000) for c, i in zip("bbpp", one["item"], strict=True)
    ]
    assert encoded["city_x_item"].numpy().tolist() == expected
    assert encoded["city_x_item"][0] == users["city_x_item"][0]


def test_a_file_and_more_data_keep_the_buckets(schema, tmp_path):
    schema.save(tmp_path / "schema.json")
    loaded = Schema.load(tmp_path / "schema.json")
    assert loaded.fields == schema.fields
    more = loaded.extend(FRAME.assign(item=8))
    for each in (loaded, more):
        raw = each.raw_columns(FRAME)
        for name in ("city_x_item", "all"):
            np.testing.assert_array_equal(
                each.encode(raw)[name], schema.encode(raw)[name]
            )


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Cross(("a",), 5), ["two or more", "['a']"]),
        (lambda: Cross(("a", "a"), 5), ["different"]),
        (lambda: Cross(("a", "b")), ["num_buckets", "0"]),
        (lambda: Cross(("a b", "c"), 5), ["'a b_x_c'"]),
        (
            lambda: Schema([Categorical("a", [1]), Cross(("a", "b"), 5)]),
            ["'b'", "use one of: a"],
        ),
        (
            lambda: Schema(
                [
                    Categorical("a", [1]),
                    Numeric("n", mean=0, std=1),
                    Categorical("t", [1], multivalent=True, max_length=2),
                    Cross(("a", "n"), 5),
                ]
            ),
            ["'n'", "use one of: a"],
        ),
    ],
)
def test_wrong_crosses_are_refused(made, words):
    fails(made, *words)
