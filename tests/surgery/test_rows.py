"""Which row of a table stands for what: ids, buckets, bins."""

import keras
import numpy as np
import pytest

from tests.support.table_models import (
    NEW,
    schema,
)
from tf_ctr.features import Categorical, Numeric, Schema
from tf_ctr.layers import Embedding
from tf_ctr.surgery import warm_start
from tf_ctr.surgery.rows import match_rows


def match(source, target):
    rows = match_rows(source, target)
    pairs = dict(zip(rows.target.tolist(), rows.source.tolist(), strict=True))
    return pairs, rows.num_new, rows.num_dropped


def test_new_rows_start_in_the_bucket_that_their_id_was_in():
    old, new = schema(num_oov=3), schema(NEW, num_oov=3)
    rows = match_rows(old.field("item"), new.field("history"), "unseen")
    was = old.encode({"item": ["d", "e"], "history": [["d"], ["e"]]})["item"]
    np.testing.assert_array_equal(rows.started_from, was)
    np.testing.assert_array_equal(rows.started, [4, 7])


def test_unseen_rows_are_copied_only_if_both_tables_have_equally_many():
    one = Categorical("item", vocabulary=["a"])
    two = Categorical("item", vocabulary=["a"], num_oov=2)
    assert match(one, two) == ({0: 0, 3: 2}, 2, 1)


def test_hashed_rows_are_copied_only_if_both_tables_have_equally_many():
    three, four = (Categorical("item", num_buckets=n) for n in (3, 4))
    assert match(three, three) == ({0: 0, 1: 1, 2: 2, 3: 3}, 0, 0)
    assert match(three, four) == ({0: 0}, 4, 3)


def test_bins_are_matched_by_their_boundaries():
    """Of 10, 20, 30 and 20, 30: the bins above 20 are alike, those below are not."""
    three = Numeric("age", "quantile", boundaries=[10, 20, 30])
    two = Numeric("age", "quantile", boundaries=[20, 30])
    assert match(three, two) == ({0: 0, 2: 3, 3: 4}, 1, 2)


def test_ids_of_another_dtype_are_different_ids():
    strings = Categorical("item", vocabulary=["5"])
    integers = Categorical("item", vocabulary=[5])
    assert match(strings, integers) == ({0: 0, 1: 1}, 1, 1)


def test_a_table_that_might_serve_two_vocabularies_must_be_named():
    two = Schema([Categorical("a", vocabulary=[1]), Categorical("b", vocabulary=[2])])
    inputs = two.inputs()
    ids = keras.ops.maximum(inputs["a"], inputs["b"])

    def model(name):
        return keras.Model(inputs, Embedding(3, 2, "normal", name=name)(ids))

    assert warm_start(model("b_rows"), model("b_rows"), two, two).copied
    with pytest.raises(ValueError, match="name the table '{field}_...'"):
        warm_start(model("rows"), model("rows"), two, two)
