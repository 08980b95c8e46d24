"""What a field answers, and that a new kind of field is one class."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tf_ctr import data
from tf_ctr.backbones import dnn
from tf_ctr.features import Categorical, Numeric, Schema, Sequence
from tf_ctr.features.arrow import as_floats
from tf_ctr.features.columns import column
from tf_ctr.features.field import MISSING, Field
from tf_ctr.features.learning import Learner


def test_a_row_of_a_table_stands_for_its_key():
    vocabulary = Categorical("c", ["a", "b"], num_oov=2)
    unseen = [("unseen", 0, 2), ("unseen", 1, 2)]
    assert vocabulary.row_keys() == [MISSING, *unseen, "a", "b"]
    hashed = Categorical("c", num_buckets=2, dtype="int64")
    assert hashed.row_keys() == [MISSING, ("hashed", 0, 2), ("hashed", 1, 2)]
    binned = Numeric("n", "quantile", boundaries=[1, 5])
    edges = [(-np.inf, 1.0), (1.0, 5.0), (5.0, np.inf)]
    assert binned.row_keys() == [MISSING, *edges]
    for field in (vocabulary, hashed, binned):
        assert len(field.row_keys()) == field.table_size


def test_equal_layouts_are_equal_rows():
    ids = Categorical("c", [1, 2])
    assert Categorical("d", [1, 2], multivalent=True).layout == ids.layout
    for other in (
        Categorical("c", [2, 1]),
        Categorical("c", [1, 2], num_oov=2),
        Categorical("c", num_buckets=2),
    ):
        assert other.layout != ids.layout


def test_a_sequence_knows_its_owner_only_in_a_schema():
    item, history = Categorical("item", [3]), Sequence("history", of="item")
    with pytest.raises(ValueError, match=r"a schema(.|\n)*schema\.field\('history'\)"):
        _ = history.owner
    schema = Schema([item, history])
    assert schema.field("history").owner is schema.field("item")
    assert schema.field("item").owner is schema.field("item")


def test_fields_can_be_listed_by_kind():
    fields = [Categorical("a"), Numeric("n"), Categorical("b"), Sequence("h", of="a")]
    schema = Schema(fields)
    assert list(schema.of_kind(Categorical)) == ["a", "b"]
    assert schema.of_kind(Numeric) == {"n": fields[1]}
    assert list(schema.of_kind(Field)) == ["a", "n", "b", "h"]


def test_only_fitted_standardised_numbers_have_a_scale():
    assert Numeric("n", mean=2.0, std=3.0).scale == (2.0, 3.0)
    for field in (
        Numeric("n", mean=2.0),
        Numeric("n", "quantile", boundaries=[1.0]),
        Categorical("c", [1]),
    ):
        assert field.scale is None


def test_an_unfitted_copy_forgets_everything_learned():
    assert Categorical("c", ["a"]).unfitted() == Categorical("c", dtype="string")
    hashed = Categorical("c", num_buckets=2, dtype="string")
    assert hashed.unfitted() == hashed
    assert Numeric("n", mean=1.0, std=2.0).unfitted() == Numeric("n")
    binned = Numeric("n", "quantile", num_bins=2, boundaries=[1.0])
    assert binned.unfitted() == Numeric("n", "quantile", num_bins=2)


@dataclasses.dataclass(frozen=True)
class Flag(Field):
    """Yes or no: rows 2 and 1 of a table of three. Nothing else knows this class."""

    dtype, padding, table_size = "int64", -1, 3
    multivalent, max_length, pooling, fitted = False, None, None, True

    @property
    def table(self):
        return self.name

    def row_keys(self):
        return [MISSING, 0, 1]

    def raw_values(self, frame):
        flags = as_floats(column(frame, self.name), self.name)
        return np.where(np.isnan(flags), -1, flags).astype(np.int64)

    def example_values(self, n, generator):
        return pd.Series(generator.integers(0, 2, n)).astype("boolean")

    def encode(self, values, table):
        return values + 1

    def learner(self):
        return FlagLearner(self)


class FlagLearner(Learner):
    def __init__(self, flag):
        self.flag = flag

    def update(self, frame):
        self.flag.raw_values(frame)


def test_a_new_kind_of_field_needs_nothing_but_its_class(tmp_path):
    frame = pd.DataFrame(
        {"new": pd.array([True, None, False], "boolean"), "item": [7, 8, 7]}
    ).assign(click=[0, 1, 1])
    schema = Schema([Flag("new"), Categorical("item")]).fit(frame)
    schema.save(tmp_path / "schema.json")
    schema = Schema.load(tmp_path / "schema.json").extend(frame)
    assert schema.field("new") == Flag("new")
    assert schema.summary().loc["new", "kind"] == "Flag"

    data.to_tfrecord(frame, schema, tmp_path / "rows.tfrecord")
    for dataset in (
        data.from_frame(frame, schema),
        data.from_tfrecord(tmp_path / "rows.tfrecord", schema),
    ):
        [(features, _)] = dataset
        assert features["new"].numpy().tolist() == [2, 0, 1]
    model = dnn(schema, embedding_dim=2, hidden_units=(2,))
    assert model.get_layer("new_embedding").input_dim == 3
    rows = schema.encode(schema.raw_columns(schema.example_rows(4)))
    assert tf.reduce_all(model(rows) > 0)
