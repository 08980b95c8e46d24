"""Several labels: the schema, and what every loader makes of them."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.support import two_labels
from tf_ctr import data
from tf_ctr.features import Categorical, Schema
from tf_ctr.joint import mix


@pytest.fixture(scope="module")
def frame():
    return two_labels.rows()


@pytest.fixture(scope="module")
def schema():
    return two_labels.schema(two_labels.WEIGHTS)


def by_frame(frame, schema, folder):
    return data.from_frame(frame, schema, batch_size=16)


def by_parquet(frame, schema, folder):
    frame.to_parquet(folder / "rows.parquet")
    return data.from_parquet(folder, schema, batch_size=16)


def by_csv(frame, schema, folder):
    frame.to_csv(folder / "rows.csv", index=False)
    return data.from_csv(folder, schema, batch_size=16)


def by_tfrecord(frame, schema, folder):
    data.to_tfrecord(frame, schema, folder / "rows.tfrecord")
    return data.from_tfrecord(folder, schema, batch_size=16)


def by_iterator(frame, schema, folder):
    return data.from_rows(iter([frame[:25], frame[25:]]), schema, batch_size=16)


@pytest.mark.parametrize(
    "load", [by_frame, by_parquet, by_csv, by_tfrecord, by_iterator]
)
def test_every_loader_gives_a_dict_of_labels_and_of_weights(
    load, frame, schema, tmp_path
):
    batches = list(load(frame, schema, tmp_path).as_numpy_iterator())
    joined = {
        (part, name): np.concatenate([batch[part][name] for batch in batches])
        for part in (1, 2)
        for name in two_labels.LABELS
    }
    assert [*batches[0][1]] == ["click", "buy"]
    for name in two_labels.LABELS:  # NaN where it is missing.
        np.testing.assert_array_equal(joined[1, name], frame[name].astype("float32"))
    np.testing.assert_array_equal(joined[2, "click"], np.ones(len(frame)))
    np.testing.assert_array_equal(joined[2, "buy"], frame["w"].astype("float32"))


def test_a_record_without_a_label_has_a_missing_one(tmp_path):
    """A feature of integers, which has no NaN, absent from a record."""
    schema = Schema([Categorical("item", ["a"])], labels=("click", "buy"))

    def record(**values):
        features = {
            name: tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
            for name, value in values.items()
        }
        features["item"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a"]))
        return tf.train.Example(features=tf.train.Features(feature=features))

    path = tmp_path / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in (record(click=1, buy=0), record(click=0)):
            writer.write(each.SerializeToString())
    [(_, labels)] = data.from_tfrecord(path, schema).as_numpy_iterator()
    np.testing.assert_array_equal(labels["click"], [1, 0])
    np.testing.assert_array_equal(labels["buy"], [0, np.nan])


def test_a_day_in_csv_may_not_know_a_label_yet(tmp_path):
    frame = pd.DataFrame({"item": [7, 9], "click": [0, 1]})
    schema = Schema([Categorical("item", [7, 9])], labels=["click", "buy"])
    for day, buys in ((1, [1, 0]), (2, [None, None])):
        (tmp_path / f"day={day}").mkdir()
        frame.assign(buy=buys).to_csv(tmp_path / f"day={day}" / "0.csv", index=False)
    [(_, labels)] = data.from_rows(str(tmp_path), schema)
    np.testing.assert_array_equal(labels["buy"], [1, 0, np.nan, np.nan])


def test_batches_of_two_domains_keep_all_labels(frame, schema):
    domain = data.from_frame(frame, schema, batch_size=7)
    mixed = mix(domain, domain, ratio=1, batch_size=20, source_weight=0.5)
    _, labels, weights = next(mixed.as_numpy_iterator())
    ten = frame["buy"][:10].astype("float32")
    np.testing.assert_array_equal(labels["buy"], pd.concat([ten, ten]))
    np.testing.assert_array_equal(weights["click"], [1] * 10 + [0.5] * 10)
    w = frame["w"][:10].astype("float32")
    np.testing.assert_array_equal(weights["buy"], pd.concat([w, w / 2]))
    bare = two_labels.schema()
    domain = data.from_frame(frame, bare, batch_size=7)
    mixed = mix(domain, domain, ratio=1, batch_size=20, source_weight=0.5)
    _, _, weights = next(mixed.as_numpy_iterator())
    np.testing.assert_array_equal(weights["buy"], [1] * 10 + [0.5] * 10)


def test_a_schema_of_several_labels_is_saved_and_loaded(schema, tmp_path):
    path = tmp_path / "schema.json"
    schema.save(path)
    copy = Schema.load(path)
    assert copy.label_names == ("click", "buy")
    assert copy.weight == {"buy": "w"}
    assert repr(copy) == repr(schema)
    # A release that knows one label refuses the file, and does not read one of them.
    assert "label" not in json.loads(path.read_text())
    assert schema.extend(two_labels.rows(seed=4)).label_names == ("click", "buy")


def test_one_of_several_labels_is_a_schema_of_one(frame, schema):
    one = schema.for_label("buy")
    assert (one.label, one.weight, one.fitted) == ("buy", "w", True)
    assert schema.for_label("click").weight is None
    assert Schema([Categorical("item")], labels=["buy"]).label == "buy"
    [(_, label)] = data.from_frame(
        frame, schema.for_label("click"), batch_size=100
    ).as_numpy_iterator()
    np.testing.assert_array_equal(label, frame["click"])
    found = schema.labels_by_name(frame)
    np.testing.assert_array_equal(found["buy"], frame["buy"])


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"label": ["click", "buy"]}, TypeError, r"labels=\('click', 'buy'\)"),
        ({"labels": ("click", "click")}, ValueError, "each once"),
        ({"labels": ()}, ValueError, "one label or several"),
        ({"labels": ("click", 3)}, TypeError, "names of columns"),
        ({"label": "buy", "labels": ("click",)}, ValueError, "either `label` or"),
        ({"labels": ("click", "item")}, ValueError, "labels 'click', 'item'"),
        (
            {"labels": ("click", "buy"), "weight": {"sale": "w"}},
            ValueError,
            "use one of: buy, click",
        ),
        (
            {"labels": ("click", "buy"), "weight": {"buy": 3}},
            TypeError,
            "column name as `weight` or {'click'",
        ),
        ({"labels": ("click", "buy"), "weight": "buy"}, ValueError, "weight 'buy'"),
        ({"weight": {"click": "w"}}, TypeError, "a column name as `weight`, or None"),
    ],
)
def test_wrong_labels_are_refused(arguments, kind, words):
    with pytest.raises(kind, match=words):
        Schema([Categorical("item")], **arguments)


def test_what_needs_one_label_says_how_to_choose_one(frame, schema):
    for use in (
        lambda: schema.label,
        lambda: schema.labels(frame),
        lambda: schema.weights(frame),
    ):
        with pytest.raises(ValueError, match=r"schema\.for_label\('click'\)"):
            use()
    with pytest.raises(ValueError, match="use one of: buy, click"):
        schema.for_label("sale")


def test_wrong_values_of_labels_are_refused(frame, schema, tmp_path):
    wrong = frame.assign(buy=2)
    with pytest.raises(ValueError, match="'buy' to be 0 or 1, or missing"):
        data.from_frame(wrong, schema)
    wrong.to_parquet(tmp_path / "rows.parquet")  # By its statistics.
    with pytest.raises(ValueError, match="label 'buy' to be 0 or 1"):
        data.from_parquet(tmp_path, schema)
    with pytest.raises(ValueError, match="weight 'w' to be above 0"):
        data.from_frame(frame.assign(w=0.0), schema)
    batches = data.from_rows(iter([frame.assign(w=0.0)]), schema)
    with pytest.raises(tf.errors.InvalidArgumentError, match="to be above 0"):
        list(batches)
    # One label is never missing.
    with pytest.raises(ValueError, match="drop the rows without a label"):
        data.from_frame(frame, schema.for_label("buy"))
