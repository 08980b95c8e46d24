"""Every mistake gets a message in three parts that names the culprit."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tf_ctr.features import Categorical, Numeric, Schema, Sequence

THREE_PARTS = re.compile(r"Expected .*\nReceived: .*\nFix: .*\.$", re.DOTALL)


def fails(action, *words, kind=ValueError):
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert THREE_PARTS.match(message), message
    for word in words:
        assert word in message
    # Not the same full stop twice.
    assert ".." not in message.replace("...", "")


def fit(values, **options):
    return lambda: Schema([Categorical("c", **options)]).fit(
        pd.DataFrame({"c": values})
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "a b"}, ["'a b'", "column="]),
        ({"name": "_a"}, ["'_a'"]),
        ({"name": 3}, ["3"]),
        ({"name": "self"}, ["'self'"]),
        ({"pooling": "max"}, ["'max'", "'mean'", "'sum'"]),
        ({"dtype": "int32"}, ["'int32'", "'int64'"]),
        ({"min_count": 0}, ["min_count", "0"]),
        ({"num_oov": 0}, ["num_oov"]),
        ({"num_oov": True}, ["num_oov", "True"]),
        ({"num_buckets": 1.5}, ["num_buckets", "1.5"]),
        ({"num_buckets": 3, "min_count": 2}, ["num_buckets", "min_count"]),
        ({"num_buckets": 3, "num_oov": 2}, ["num_buckets", "num_oov"]),
        ({"num_buckets": 2**31}, ["num_buckets", "2147483648"]),
        ({"max_length": 3}, ["multivalent=True"]),
        ({"multivalent": True, "max_length": 0}, ["max_length"]),
        ({"vocabulary": ["a"], "num_buckets": 3}, ["num_buckets", "leave one"]),
        ({"vocabulary": ["a", "b", "a"]}, ["1 repeated"]),
        ({"vocabulary": ["a", ""]}, ["''", "padding"]),
        ({"vocabulary": [0, -1]}, ["-1", "padding="]),
        ({"vocabulary": [1, 2**64]}, ["64-bit", f"{2**64}", "str(value)"]),
        ({"vocabulary": [1], "padding": -(2**70)}, ["64-bit", f"{-(2**70)}"]),
    ],
)
def test_wrong_arguments_of_categorical_are_refused(arguments, words):
    fails(lambda: Categorical(**{"name": "c", **arguments}), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"vocabulary": ["a", 1]}, ["int", "str"]),
        ({"vocabulary": [True]}, ["bool"]),
        ({"vocabulary": [1.0]}, ["float"]),
        ({"vocabulary": []}, ["not empty"]),
        ({"vocabulary": {"a"}}, ["set", "order"]),
        ({"vocabulary": "abc"}, ["str", "list"]),
        ({"vocabulary": ["a"], "dtype": "int64"}, ["int64", "str"]),
        ({"dtype": "string", "padding": 0}, ["padding", "0"]),
    ],
)
def test_wrong_types_of_categorical_are_refused(arguments, words):
    fails(lambda: Categorical("c", **arguments), *words, kind=TypeError)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"transform": "square"}, ["'square'", "'log'", "'quantile'"]),
        ({"clip": 0}, ["clip", "0", "None for no limit"]),
        ({"clip": "a"}, ["clip", "'a'"]),
        ({"missing_indicator": 3}, ["missing_indicator", "3"]),
        ({"transform": "quantile", "num_bins": 3, "clip": 5}, ["clip", "leave"]),
        ({"transform": "quantile", "num_bins": 3, "missing_indicator": True}, ["row"]),
        ({"transform": "quantile"}, ["num_bins", "None"]),
        ({"transform": "quantile", "num_bins": 1}, ["num_bins"]),
        ({"num_bins": 5}, ["transform='quantile'"]),
        ({"std": 0.0}, ["std", "0.0"]),
        ({"std": "a"}, ["std", "'a'"]),
        ({"mean": np.nan, "std": 1.0}, ["mean", "nan"]),
        ({"mean": "a", "std": 1.0}, ["mean", "'a'"]),
        ({"transform": "quantile", "boundaries": ()}, ["at least 1"]),
        ({"transform": "quantile", "num_bins": 3, "mean": 1.0}, ["mean"]),
        ({"transform": "quantile", "boundaries": [2, 1]}, ["increasing"]),
        ({"transform": "quantile", "boundaries": [1, np.inf]}, ["finite"]),
    ],
)
def test_wrong_arguments_of_numeric_are_refused(arguments, words):
    fails(lambda: Numeric("n", **arguments), *words)


def test_wrong_arguments_of_sequence_are_refused():
    fails(lambda: Sequence("h", of="c", max_length=0), "max_length")
    fails(lambda: Sequence("h", of="c", pooling="last"), "'last'")


def test_wrong_fields_of_a_schema_are_refused():
    c = Categorical("c")
    fails(lambda: Schema([]), "at least one field")
    fails(lambda: Schema([c, Numeric("c")]), "['c', 'c']")
    fails(lambda: Schema([c], label="c"), "label 'c'")
    fails(lambda: Schema(["c"]), "'c'", "Categorical", kind=TypeError)
    fails(lambda: Schema([c, Sequence("h", of="d")]), "'d'", "use one of: c")
    fails(lambda: Schema([Numeric("n"), Sequence("h", of="n")]), "there is none")
    fails(lambda: Schema([c]).field("d"), "'d'", "use one of: c")
    fails(lambda: Schema([c], group=3), "`group`", "3", kind=TypeError)


def test_missing_or_repeated_columns_are_refused():
    frame = pd.DataFrame({"a": [1], "b": [2]})
    fails(lambda: Schema([Categorical("c")]).fit(frame), "'c'", "a, b")
    doubled = pd.DataFrame([[1, 2]], columns=["c", "c"])
    fails(lambda: Schema([Categorical("c")]).fit(doubled), "'c'", "2")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.5, 2.0], ["1.5"]),
        ([1e17, 1.0], ["rounded", "Int64"]),
        (pd.to_datetime(["2020-01-01"]), ["timestamp"]),
        ([b"a"], ["binary", "str.decode('utf-8')"]),
        ([1, "a"], ["one type"]),
        ([[1], [2]], ["list", "multivalent=True"]),
        (np.array([2**63], np.uint64), ["9223372036854775808"]),
        ([2**70], ["'c'"]),
    ],
    ids=["float", "large", "time", "bytes", "mixed", "list", "uint64", "huge"],
)
def test_columns_without_ids_are_refused(values, words):
    fails(fit(values), "'c'", *words, kind=TypeError)


def test_lists_are_refused_outside_of_multivalent_fields():
    fails(fit(["a|b"], multivalent=True), "str.split('|')", kind=TypeError)
    fails(fit([["a"], "b"], multivalent=True), "'c'", kind=TypeError)
    fails(fit([[["a"]]], multivalent=True), "flatten lists of lists", kind=TypeError)
    history = [Categorical("c"), Sequence("h", of="c")]
    frame = pd.DataFrame({"c": ["a"], "h": ["a|b"]})
    fails(lambda: Schema(history).fit(frame), "str.split", kind=TypeError)


def test_a_later_part_must_have_the_dtype_learned_first():
    frames = [pd.DataFrame({"c": ["a"]}), pd.DataFrame({"c": [1]})]
    schema = Schema([Categorical("c")])
    fails(lambda: schema.fit(frames), "string", "astype(str)", kind=TypeError)
    schema.fit(frames[0])
    fails(lambda: schema.raw_columns(frames[1]), "string", kind=TypeError)
    fails(fit(["1"], dtype="int64"), "int64", "'Int64'", kind=TypeError)
    fails(fit(["1"], vocabulary=[1]), "int64", kind=TypeError)


def test_columns_without_a_value_to_learn_from_are_refused():
    numbers = [Numeric("n"), Numeric("n", "quantile", num_bins=2)]
    for field in numbers:
        empty = pd.DataFrame({"n": [np.nan, np.inf]})
        fails(lambda f=field, e=empty: Schema([f]).fit(e), "'n'", "only missing")
    fails(fit([None, None]), "'c'", "only missing")
    fails(fit(["", ""]), "'c'", "only missing")
    fails(fit([None], num_buckets=4), "'c'", "only missing")
    fails(fit(["a", "b"], min_count=2), "min_count=2", "1 times")


def test_columns_without_numbers_are_refused():
    frame = pd.DataFrame({"n": ["1"]})
    fails(lambda: Schema([Numeric("n")]).fit(frame), "to_numeric", kind=TypeError)
    frame = pd.DataFrame({"n": pd.date_range("2024-01-01", periods=2)})
    fails(lambda: Schema([Numeric("n")]).fit(frame), "days since", kind=TypeError)


@pytest.mark.parametrize("options", [{}, {"transform": "quantile", "num_bins": 4}])
def test_numbers_that_float32_cannot_tell_apart_are_refused(options):
    minutes = 1.7e12 + 60_000.0 * np.arange(10)
    frames = [pd.DataFrame({"n": part}) for part in np.split(minutes, 2)]
    schema = Schema([Numeric("n", **options)])
    fails(lambda: schema.fit(frames), "'n'", "float32", "subtract a reference")
    schema.fit([frame - 1.7e12 for frame in frames])


def test_data_without_rows_or_frames_is_refused():
    schema = Schema([Categorical("c")])
    empty = pd.DataFrame({"c": []})
    fails(lambda: schema.fit(empty), "at least one row")
    fails(lambda: schema.fit(iter([])), "iterator")
    fails(lambda: schema.fit([empty, empty]), "at least one row")
    fails(lambda: schema.fit({"c": [1]}), "DataFrame", kind=TypeError)
    fails(lambda: schema.fit(None), "DataFrame", "None", kind=TypeError)
    fails(lambda: schema.fit([np.zeros(3)]), "ndarray", kind=TypeError)
    schema.fit(pd.DataFrame({"c": [1]}))
    fails(lambda: schema.raw_columns(empty), "at least one row")
    fails(lambda: schema.unseen_share(empty), "at least one row")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 2, 1], ["1 of 3", "[2.0]", "> 3"]),
        ([0, np.nan], ["1 of 2", "nan", "dropna(subset=['click'])"]),
        ([5, np.nan], ["2 of 2", "dropna(subset=['click'])"]),
        ([-1, 1], ["-1.0"]),
        ([0.5], ["0.5"]),
    ],
)
def test_labels_other_than_0_and_1_are_refused(values, words):
    schema = Schema([Categorical("c")])
    fails(lambda: schema.labels(pd.DataFrame({"click": values})), "'click'", *words)


def test_labels_that_are_missing_or_not_numbers_are_refused():
    schema = Schema([Categorical("c")])
    fails(lambda: schema.labels(pd.DataFrame({"c": [1]})), "'click'", "use one of: c")
    text = pd.DataFrame({"click": ["yes"]})
    fails(lambda: schema.labels(text), "'click'", kind=TypeError)


def test_a_missing_group_column_is_refused():
    frame = pd.DataFrame({"c": [1]})
    fails(lambda: Schema([Categorical("c")]).groups(frame), "group=")
    grouped = Schema([Categorical("c")], group="user")
    fails(lambda: grouped.groups(frame), "'user'", "use one of: c")


def test_a_group_column_that_is_repeated_or_holds_lists_is_refused():
    grouped = Schema([Categorical("c")], group="user")
    doubled = pd.DataFrame([[1, 2]], columns=["user", "user"])
    fails(lambda: grouped.groups(doubled), "'user'", "2")
    lists = pd.Series([[1], [2]])
    arrow = lists.astype(pd.ArrowDtype(pa.list_(pa.int64())))
    for values in (lists, arrow):
        frame = pd.DataFrame({"user": values})
        fails(lambda f=frame: grouped.groups(f), "'user'", "ids", kind=TypeError)


def test_an_unfitted_schema_is_refused():
    schema = Schema([Categorical("c"), Numeric("n", mean=0.0, std=1.0)])
    frame = pd.DataFrame({"c": [1], "n": [1]})
    for action in (
        lambda: schema.raw_columns(frame),
        lambda: schema.encode({"c": [1], "n": [1.0]}),
        lambda: schema.tables,
        schema.raw_signature,
        schema.inputs,
        lambda: schema.example_rows(1),
        lambda: schema.unseen_share(frame),
    ):
        fails(action, "['c']", "schema.fit")


def test_tensors_of_another_shape_or_dtype_are_refused():
    schema = Schema([Categorical("c", [5]), Sequence("h", of="c", max_length=2)])
    good = {"c": [5], "h": [[5]]}
    fails(lambda: schema.encode({"c": [5]}), "'h'", "['c']")
    for bad in (["5"], [5.0], [[5, 5]], 5, [[[5]]]):
        fails(lambda bad=bad: schema.encode({**good, "c": bad}), "'c'", "int64")
    fails(lambda: schema.encode({**good, "h": [5]}), "'h'", "[B, T]")
    fails(lambda: schema.encode({**good, "c": [None]}), "'c'", "padding value")
    fails(lambda: schema.encode({**good, "h": [[5], [5, 5]]}), "'h'", "rectangular")
