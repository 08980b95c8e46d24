"""Two fields of one table: ids, errors, files and models."""

import numpy as np
import pandas as pd
import pytest

from tests.features.test_errors import fails
from tf_ctr import Categorical, Numeric, Schema, Sequence, Vector
from tf_ctr.backbones import autoint, dcn, deepfm, din, dlrm, dnn
from tf_ctr.backbones.dims import field_dims
from tf_ctr.surgery import Graph, grow
from tf_ctr.transfer import fine_tune

FRAME = pd.DataFrame(
    {
        "item": [7, 9, 7, 5],
        "last": pd.Series([9, None, 8, 7], dtype="Int64"),
        "cart": [[5, 9], [], None, [8, 7, 7]],
        "click": [0, 1, 1, 0],
    }
)


def fields(**of_item):
    return [
        Categorical("last", table="item"),
        Categorical("item", **of_item),
        Categorical("cart", table="item", multivalent=True),
    ]


@pytest.fixture(scope="module")
def schema():
    return Schema(fields()).fit(FRAME)


def test_the_ids_are_rows_of_the_shared_table(schema):
    assert schema.field("item").vocabulary == (7, 5, 9)
    encoded = schema.encode(schema.raw_columns(FRAME))
    assert encoded["last"].numpy().tolist() == [4, 0, 1, 2]
    assert encoded["cart"].numpy().tolist() == [[3, 4, 0], [0] * 3, [0] * 3, [1, 2, 2]]
    last = schema.field("last")
    assert (last.table, last.table_size, last.padding) == ("item", 5, -1)
    assert last.owner is schema.field("item") and not last.has_vocabulary
    assert last.layout == last.owner.layout and last.row_keys()[2:] == [7, 5, 9]
    assert schema.unseen_share(FRAME)["last"] == 1 / 3


def test_a_shared_table_may_be_hashed_or_pad_otherwise():
    for options in ({"num_buckets": 50}, {"padding": 0}, {"num_oov": 3}):
        schema = Schema(fields(**options)).fit(FRAME)
        encoded = schema.encode({"item": [8], "last": [8], "cart": [[8]]})
        assert encoded["last"] == encoded["item"] == encoded["cart"][0, 0]
        rows = schema.example_rows(30)
        assert set(schema.encode(schema.raw_columns(rows))) == {"last", "item", "cart"}


def test_a_file_and_more_data_keep_the_link(schema, tmp_path):
    schema.save(tmp_path / "schema.json")
    loaded = Schema.load(tmp_path / "schema.json")
    assert loaded.fields == schema.fields
    more = loaded.extend(pd.DataFrame({"item": [3], "last": [1], "cart": [[2]]}))
    assert more.field("last").owner.vocabulary == (7, 5, 9, 3)
    again = loaded.fit(
        FRAME.assign(item=["a", "b", "c", "d"], last="a", cart=[["b"]] * 4)
    )
    assert again.encode({"item": ["a"], "last": ["c"], "cart": [["b"]]})["last"] == 4


def test_one_layer_holds_the_table(schema):
    model = dcn(schema, 4, hidden_units=(4,))
    tables = Graph(model).tables_by_field
    assert tables == dict.fromkeys(["last", "item", "cart"], "item_embedding")
    grown = grow(model, schema, schema.extend(FRAME.assign(item=3)))
    assert grown.get_layer("item_embedding").input_dim == 6
    batch = schema.encode(schema.raw_columns(FRAME))
    np.testing.assert_allclose(grown(batch), model(batch), atol=1e-6)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Categorical("a", [1], table="b"), ["'a'", "'b'", "table"]),
        (lambda: Categorical("a", table="b", num_buckets=3), ["num_buckets"]),
        (lambda: Categorical("a", table="a b"), ["'a b'"]),
        (lambda: Schema([Categorical("a", table="b")]), ["'b'", "there is none"]),
        (lambda: Schema([Numeric("b"), Categorical("a", table="b")]), ["'b'"]),
        (
            lambda: Schema([*fields(), Categorical("a", table="last")]),
            ["'last'", "use one of: item"],
        ),
        (
            lambda: Schema(
                [Categorical("a", [1]), Categorical("b", table="a", dtype="string")]
            ),
            ["'b'", "'a'", "dtype='int64'", "dtype='string'"],
        ),
        (lambda: Categorical("a", table="b").owner, ["schema.field('a')"]),
    ],
)
def test_wrong_tables_are_refused(made, words):
    fails(made, *words)


def test_a_column_of_other_ids_is_refused():
    frame = FRAME.assign(last="x")
    with pytest.raises(TypeError, match="dtype int64 in column 'last'"):
        Schema(fields()).fit(FRAME).raw_columns(frame)


# Dims per field


def wide_schema():
    return Schema(
        [
            Categorical("user", list(range(98))),
            Categorical("item", [7, 9]),
            Categorical("last", table="item"),
            Sequence("history", of="item", max_length=3),
            Numeric("n", mean=0, std=1),
            Vector("image", 30),
        ]
    )


def test_dims_are_equal_given_or_by_the_rule():
    schema = wide_schema()
    of_item = dict.fromkeys(["item", "last", "history"])
    assert set(field_dims(schema, 8).values()) == {8}
    given = field_dims(schema, {"item": 3, "image": 5})
    assert given == {"user": 16, **dict.fromkeys(of_item, 3), "image": 5}
    # 6 * floor(rows ** (1 / 4)); DeepCTR: 6 * int(pow(vocabulary_size, 0.25)).
    auto = field_dims(schema, "auto")
    assert auto == {"user": 18, **dict.fromkeys(of_item, 6), "image": 18}


@pytest.mark.parametrize(
    ("dims", "words"),
    [
        ({"itm": 3}, ["'itm'", "history, image, item, last, user"]),
        ({"n": 3}, ["'n'"]),
        ({"last": 3}, ["'item'", "'last'", "{'item': 3}"]),
        ({"item": 0}, ["embedding_dim of item", "0"]),
        (0, ["embedding_dim", "0"]),
        ("large", ["embedding_dim", "'large'"]),
    ],
)
def test_wrong_dims_are_refused(dims, words):
    fails(lambda: dnn(wide_schema(), dims), *words)


BATCH = {
    "user": np.array([5]),
    "item": np.array([2]),
    "last": np.array([3]),
    "history": np.array([[2, 3, 0]]),
    "n": np.ones((1, 1), "float32"),
    "image": np.ones((1, 30), "float32"),
}


@pytest.mark.parametrize("build", [dnn, din])
def test_backbones_that_join_fields_take_each_as_wide_as_it_is(build):
    model = build(wide_schema(), "auto", hidden_units=(3,))
    assert model.get_layer("embeddings").output.shape[1] == 18 + 3 * 6 + 1 + 18
    assert model(BATCH).shape == (1, 1)


@pytest.mark.parametrize("build", [deepfm, dlrm, autoint])
def test_backbones_that_multiply_fields_project_them_to_the_widest(build):
    model = build(wide_schema(), {"user": 4, "item": 3, "image": 2}, hidden_units=(3,))
    projections = {
        layer.name: layer.kernel.shape
        for layer in model.layers
        if layer.name.endswith("_projection")
    }
    names = ("item", "last", "history")
    assert projections == {
        "image_projection": (2, 4),
        **{f"{name}_projection": (3, 4) for name in names},
    }
    assert model(BATCH).shape == (1, 1)
    tuned = fine_tune(model)
    np.testing.assert_allclose(tuned(BATCH), model(BATCH), atol=1e-6)


def test_a_history_is_as_wide_as_its_candidate():
    histories = {"history": "user"}
    fails(
        lambda: din(wide_schema(), {"item": 3}, histories=histories),
        "'user' as wide as that of 'history'",
        "16 and 3",
    )
