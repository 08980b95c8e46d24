"""Encoding: the rows that raw values get."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tf_ctr.features import Categorical, Numeric, Schema, Sequence


def encode(field, values, *others):
    schema = Schema([field, *others])
    features = {other.name: [other.vocabulary[0]] for other in others}
    return schema.encode({field.name: values, **features})[field.name].numpy().tolist()


def test_row_0_is_for_missing_row_1_for_unseen_and_the_rest_for_the_vocabulary():
    assert encode(Categorical("c", ["b", "a"]), ["a", "b", "x", ""]) == [3, 2, 1, 0]
    assert encode(Categorical("c", [7, 5]), [5, 7, 9, -1]) == [3, 2, 1, 0]


def test_the_table_has_exactly_one_row_for_every_id():
    field = Categorical("c", [7, 5], num_oov=3)
    rows = encode(field, [7, 5, -1, *range(100, 200)])
    assert field.table_size == 6
    assert rows[:3] == [4, 5, 0]
    assert set(rows[3:]) == {1, 2, 3}


def test_only_the_id_decides_the_row_of_an_unseen_id():
    field = Categorical("c", ["a"], num_oov=1000)
    assert encode(field, ["x", "y", "x"]) == encode(field, ["x", "y", "x"])
    x, y, again = encode(field, ["x", "y", "x"])
    assert x == again != y


def test_hashed_ids_fill_their_buckets_and_nothing_else():
    field = Categorical("c", num_buckets=8, dtype="int64")
    rows = encode(field, [-1, *range(500)])
    assert field.table_size == 9
    assert rows[0] == 0
    assert set(rows[1:]) == set(range(1, 9))


def test_integers_and_their_text_hash_alike():
    numbers = encode(Categorical("c", num_buckets=1000, dtype="int64"), [12, 345])
    texts = encode(Categorical("c", num_buckets=1000, dtype="string"), ["12", "345"])
    assert numbers == texts


def test_a_given_padding_value_is_read_as_missing():
    field = Categorical("c", [-1, 5], padding=0)
    assert encode(field, [-1, 5, 0]) == [2, 3, 0]


def test_multivalent_keeps_the_first_ids_and_pads_to_the_right():
    field = Categorical("c", ["a", "b"], multivalent=True, max_length=2)
    rows = encode(field, [["a", "b", "x"], ["b", "", ""], ["", "", ""], ["", "x", "a"]])
    assert rows == [[2, 3], [3, 0], [0, 0], [1, 2]]


def test_sequence_keeps_the_newest_ids_in_their_order():
    history = Sequence("h", of="c", max_length=2)
    values = [[5, 7, 9], [7, -1, -1], [-1, -1, 7], [7, -1, 5]]
    rows = encode(history, values, Categorical("c", [5, 7]))
    assert rows == [[3, 1], [3, 0], [3, 0], [3, 2]]


def test_any_number_of_values_gives_max_length():
    history, item = Sequence("h", of="c", max_length=3), Categorical("c", [5, 7])
    assert encode(history, [[5]], item) == [[2, 0, 0]]
    assert encode(history, np.zeros((1, 0), np.int64), item) == [[0, 0, 0]]
    ragged = tf.ragged.constant([[5], [7, 5]], dtype=tf.int64)
    assert encode(history, ragged, item) == [[2, 0, 0], [3, 2, 0]]


def test_a_sequence_of_a_hashed_field_hashes_alike():
    item = Categorical("c", num_buckets=50, dtype="string")
    schema = Schema([item, Sequence("h", of="c", max_length=1)])
    encoded = schema.encode({"c": ["a", "b"], "h": [["a"], ["b"]]})
    assert encoded["h"][:, 0].numpy().tolist() == encoded["c"].numpy().tolist()


def test_numbers_are_standardised_and_missing_ones_become_zero():
    field = Numeric("n", mean=10.0, std=2.0)
    values = [14.0, 10.0, np.nan, np.inf, -np.inf]
    assert encode(field, values) == [[2.0], [0.0], [0.0], [0.0], [0.0]]


def test_a_small_deviation_from_a_large_mean_survives():
    mean = float(2**24 - 1)
    assert encode(Numeric("n", mean=mean, std=0.5), [mean + 1]) == [[2.0]]


def test_a_value_on_a_boundary_belongs_to_the_bin_above():
    field = Numeric("n", "quantile", boundaries=[0.0, 1.0])
    assert encode(field, [-5.0, 0.0, 0.5, 1.0, 9.0, np.nan]) == [1, 2, 2, 3, 3, 0]
    assert field.table_size == 4


def test_a_column_of_shape_b_1_is_encoded_like_one_of_shape_b():
    assert encode(Categorical("c", [5]), [[5], [6]]) == [2, 1]
    assert encode(Numeric("n", mean=0.0, std=1.0), [[5.0]]) == [[5.0]]


def test_smaller_dtypes_are_widened():
    assert encode(Categorical("c", [5]), np.array([5, 6], np.int32)) == [2, 1]
    assert encode(Numeric("n", mean=0.0, std=1.0), np.array([5])) == [[5.0]]


@pytest.fixture
def schema():
    fields = [
        Categorical("user", ["ann", "bob"], num_oov=2),
        Categorical("item", [5, 7]),
        Categorical("device", num_buckets=4, dtype="string"),
        Categorical("tags", ["x", "y"], multivalent=True, max_length=2),
        Numeric("price", mean=1.0, std=2.0),
        Numeric("age", "quantile", boundaries=[20.0, 40.0]),
        Sequence("history", of="item", max_length=3),
    ]
    return Schema(fields, group="user")


RAW = {
    "user": ["ann", "eve", ""],
    "item": [5, 6, -1],
    "device": ["d1", "d2", ""],
    "tags": [["x", "z"], ["y", ""], ["", ""]],
    "price": [3.0, np.nan, 1.0],
    "age": [30.0, 40.0, np.nan],
    "history": [[5, 7, 8, 5], [7, -1, -1, -1], [-1, -1, -1, -1]],
}


def test_eager_graph_and_dataset_encode_alike(schema):
    eager = schema.encode(RAW)
    graph = tf.function(schema.encode, input_signature=[schema.raw_signature()])
    raw = {name: tf.convert_to_tensor(value) for name, value in RAW.items()}
    raw = {n: tf.cast(v, schema.raw_signature()[n].dtype) for n, v in raw.items()}
    mapped = tf.data.Dataset.from_tensors(raw).map(schema.encode)
    for other in (graph(raw), next(iter(mapped))):
        tf.nest.map_structure(np.testing.assert_array_equal, eager, other)


def test_tables_first_used_while_tracing_outlive_the_trace(schema):
    dataset = tf.data.Dataset.from_tensors({"user": ["bob"]})
    only_user = Schema([schema.field("user")])
    first = next(iter(dataset.map(only_user.encode)))["user"].numpy()
    assert first == only_user.encode({"user": ["bob"]})["user"].numpy() == [4]


def test_a_dataset_keeps_the_tables_of_a_deleted_schema():
    def dataset():
        schema = Schema([Categorical("c", ["a"])])
        return tf.data.Dataset.from_tensors({"c": ["a", "b"]}).map(schema.encode)

    assert next(iter(dataset()))["c"].numpy().tolist() == [2, 1]


def test_encoded_values_have_the_shapes_and_dtypes_of_the_inputs(schema):
    encoded, inputs = schema.encode(RAW), schema.inputs()
    assert list(encoded) == list(inputs) == [field.name for field in schema.fields]
    for name, tensor in encoded.items():
        assert inputs[name].name == name
        assert inputs[name].dtype == tensor.dtype.name
        assert inputs[name].shape[1:] == tuple(tensor.shape[1:])


def test_the_shape_in_a_graph_is_known(schema):
    graph = tf.function(schema.encode, input_signature=[schema.raw_signature()])
    shapes = graph.get_concrete_function().structured_outputs
    assert shapes["tags"].shape.as_list() == [None, 2]
    assert shapes["history"].shape.as_list() == [None, 3]
    assert shapes["price"].shape.as_list() == [None, 1]


def test_fields_name_the_owner_of_their_table(schema):
    owners = {field.name: field.table for field in schema.fields}
    assert owners["history"] == "item"
    assert owners["price"] is None
    assert owners["age"] == "age"
    assert schema.field("history").table_size == schema.field("item").table_size == 4
    assert len(schema.tables) == 3


def test_encode_accepts_raw_columns(schema):
    frame = pd.DataFrame({name: list(values) for name, values in RAW.items()})
    raw = schema.raw_columns(frame)
    assert raw["history"].tolist() == [[7, 8, 5], [7, -1, -1], [-1, -1, -1]]
    assert raw["tags"].tolist() == RAW["tags"]
    tf.nest.map_structure(
        np.testing.assert_array_equal, schema.encode(raw), schema.encode(RAW)
    )


def test_unseen_share_leaves_missing_values_out(schema):
    frame = pd.DataFrame({name: list(values) for name, values in RAW.items()})
    shares = schema.unseen_share(frame)
    # history: 7, 8, 5 and 7 are left, of which 8 is unseen.
    expected = {"user": 1 / 2, "item": 1 / 2, "tags": 1 / 3, "history": 1 / 4}
    assert shares.to_dict() == expected


def test_unseen_share_of_no_values_is_nan():
    schema = Schema([Categorical("c", ["a"])])
    assert np.isnan(schema.unseen_share(pd.DataFrame({"c": [None, ""]}))["c"])


def test_example_rows_hold_seen_unseen_and_missing_values(schema):
    frame = schema.example_rows(400, seed=3)
    encoded = schema.encode(schema.raw_columns(frame))
    assert len(frame) == 400
    assert set(encoded["item"].numpy()) == {0, 1, 2, 3}
    assert set(encoded["age"].numpy()) == {0, 1, 2, 3}
    assert {0, 1, 2, 3} == set(encoded["history"].numpy().ravel())
    assert 0.03 < schema.unseen_share(frame)["user"] < 0.25
    assert frame["price"].isna().any()
    pd.testing.assert_frame_equal(frame, schema.example_rows(400, seed=3))
    assert not frame.equals(schema.example_rows(400, seed=4))


@pytest.mark.parametrize("vocabulary", [[2**63 - 1, 0], [-(2**63)], range(20)])
def test_example_rows_of_integers_always_hold_an_unseen_one(vocabulary):
    schema = Schema([Categorical("c", vocabulary)])
    encoded = schema.encode(schema.raw_columns(schema.example_rows(200)))
    assert {0, 1, 2} <= set(encoded["c"].numpy())


def test_numpy_integers_are_accepted_as_whole_numbers(tmp_path):
    three = np.int64(3)
    fields = [
        Categorical("c", num_buckets=three, dtype="int64"),
        Categorical("d", ["a"], num_oov=three, multivalent=True, max_length=three),
        Numeric("n", mean=np.float32(0.1), std=np.float32(2.0)),
        Sequence("h", of="c", max_length=three),
    ]
    Schema(fields).save(tmp_path / "schema.json")
    assert Schema.load(tmp_path / "schema.json").fields == fields


def test_summary_has_one_line_per_field(schema):
    summary = schema.summary()
    assert summary.index.tolist() == [field.name for field in schema.fields]
    assert summary.loc["history", ["kind", "table", "rows", "dtype"]].tolist() == [
        "Sequence",
        "item",
        4,
        "int64",
    ]
    assert pd.isna(summary.loc["price", "rows"])


@pytest.mark.parametrize(
    "values",
    [
        np.array([2.9]),
        np.array([2.0, np.nan]),
        np.array([2**64 - 5], "uint64"),
        np.array([True]),
        np.array(["2"]),
    ],
)
def test_values_are_checked_before_they_are_cast(values):
    schema = Schema([Categorical("item", vocabulary=[2, -5])])
    with pytest.raises(ValueError, match="'item' as int64(.|\n)*Fix"):
        schema.encode({"item": values})


def test_text_is_no_number():
    schema = Schema([Numeric("age", transform="quantile", boundaries=[18])])
    with pytest.raises(ValueError, match="'age' as float32(.|\n)*Fix"):
        schema.encode({"age": np.array(["1"])})
