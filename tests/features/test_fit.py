"""What a schema learns from frames."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tf_ctr.features import Categorical, Numeric, Schema, Sequence


def learned(field, values, **options):
    """The field as learned from one column."""
    return Schema([field]).fit(pd.DataFrame({field.name: values}, **options)).fields[0]


def test_vocabulary_is_ordered_by_count_then_value():
    ids = ["b", "c", "a", "c", "b", "d"]
    assert learned(Categorical("c"), ids).vocabulary == ("b", "c", "a", "d")
    assert learned(Categorical("c"), [3, 10, 3, 10, 2]).vocabulary == (3, 10, 2)


def test_min_count_leaves_rare_ids_out():
    field = learned(Categorical("c", min_count=2), ["a", "b", "b", "c", "c", "c"])
    assert field.vocabulary == ("c", "b")
    assert field.table_size == 4


def test_a_given_vocabulary_stays_as_given():
    field = learned(Categorical("c", vocabulary=["z", "a"]), ["a", "a", "b"])
    assert field.vocabulary == ("z", "a")


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["b", None, "a", "b"], dtype=object),
        pd.Series(["b", np.nan, "a", "b"], dtype=object),
        pd.Series(["b", None, "a", "b"], dtype="str"),
        pd.Series(["b", None, "a", "b"], dtype="category"),
        pd.Series(["b", None, "a", "b"], dtype=pd.ArrowDtype(pa.string())),
        pd.Series(["b", None, "a", "b"], dtype="string[pyarrow]"),
        pd.Series(["b", "", "a", "b"]),
    ],
    ids=["object", "nan", "str", "category", "arrow", "pyarrow", "empty"],
)
def test_every_kind_of_string_column_is_learned(values):
    schema = Schema([Categorical("c")]).fit(pd.DataFrame({"c": values}))
    assert schema.fields[0].vocabulary == ("b", "a")
    assert schema.fields[0].dtype == "string"
    raw = schema.raw_columns(pd.DataFrame({"c": values}))["c"]
    assert raw.tolist() == ["b", "", "a", "b"]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([7, None, 5, 7]),
        pd.Series([7, None, 5, 7], dtype=object),
        pd.Series([7, None, 5, 7], dtype="Int64"),
        pd.Series([7, None, 5, 7], dtype="float32"),
        pd.Series([7, None, 5, 7], dtype="float16"),
        pd.Series([7, None, 5, 7], dtype=pd.ArrowDtype(pa.int32())),
        pd.Series([7, None, 5, 7], dtype=pd.ArrowDtype(pa.float64())),
        pd.Series([7, None, 5, 7], dtype="Int64").astype("category"),
        pd.Series([7, -1, 5, 7], dtype="int16"),
    ],
    ids=[
        "float",
        "object",
        "Int64",
        "float32",
        "float16",
        "arrow",
        "nan",
        "category",
        "int16",
    ],
)
def test_every_kind_of_integer_column_is_learned(values):
    schema = Schema([Categorical("c")]).fit(pd.DataFrame({"c": values}))
    assert schema.fields[0].vocabulary == (7, 5)
    assert schema.fields[0].dtype == "int64"
    raw = schema.raw_columns(pd.DataFrame({"c": values}))["c"]
    assert raw.dtype == np.int64
    assert raw.tolist() == [7, -1, 5, 7]


def test_large_integers_beside_missing_values_keep_their_digits():
    values = pd.Series([2**62 + 1, None], dtype="Int64")
    schema = Schema([Categorical("c")]).fit(pd.DataFrame({"c": values}))
    assert schema.raw_columns(pd.DataFrame({"c": values}))["c"][0] == 2**62 + 1


@pytest.mark.parametrize(
    "rows",
    [
        [["x", "y", "x"], [], None, ["y", "x"]],
        [("x", "y", "x"), (), None, ("y", "x")],
        [np.array(["x", "y", "x"], object), np.array([], object), None, ["y", "x"]],
        [["x", None, "y", "x"], [""], [np.nan], ["y", "x"]],
        pd.Series(
            pa.ListArray.from_arrays(
                pa.array([0, 3, 3, 5, 7]),
                pa.array(["x", "y", "x", "hidden", "behind", "y", "x"]),
                mask=pa.array([False, False, True, False]),
            ),
            dtype=pd.ArrowDtype(pa.list_(pa.string())),
        ),
        pd.Series(
            [["x", "y", "x"], [], None, ["y", "x"]],
            dtype=pd.ArrowDtype(pa.list_(pa.string())),
        ),
    ],
    ids=["lists", "tuples", "arrays", "missing", "masked", "arrow"],
)
def test_every_kind_of_list_column_is_learned(rows):
    frame = pd.DataFrame({"c": rows})
    schema = Schema([Categorical("c", multivalent=True, max_length=2)]).fit(frame)
    assert schema.fields[0].vocabulary == ("x", "y")
    raw = schema.raw_columns(frame)["c"]
    assert raw.tolist() == [["x", "y"], ["", ""], ["", ""], ["y", "x"]]
    # A frame that starts within its column.
    assert schema.raw_columns(frame[3:])["c"].tolist() == [["y", "x"]]


def test_max_length_is_the_longest_list_up_to_a_limit():
    lists = Categorical("c", multivalent=True)
    assert learned(lists, [[1], [1, 2, 3], []]).max_length == 3
    assert learned(lists, [list(range(1000))]).max_length == 128


def test_hashed_fields_learn_only_the_dtype():
    field = learned(Categorical("c", num_buckets=5), ["a", "b"])
    assert field.dtype == "string"
    assert field.vocabulary is None


def test_a_sequence_does_not_count_for_the_vocabulary():
    fields = [Categorical("item"), Sequence("history", of="item")]
    frame = pd.DataFrame({"item": [5, 7], "history": [[9, 9, 9], [7]]})
    schema = Schema(fields).fit(frame)
    assert schema.field("item").vocabulary == (5, 7)
    assert schema.unseen_share(frame)["history"] == 3 / 4


def test_mean_and_deviation_agree_with_numpy():
    values = np.random.default_rng(0).normal(1e4, 3.0, 5000)
    field = learned(Numeric("n"), [*values, np.nan, np.inf])
    # Those of the numbers that the encoder gets.
    values = values.astype(np.float32).astype(np.float64)
    assert field.mean == pytest.approx(values.mean(), rel=1e-14)
    assert field.std == pytest.approx(values.std(), rel=1e-9)


def test_moments_of_distant_parts_agree_with_numpy():
    # Sums of squares would lose the digits of the deviation.
    near, far = 2.0**23 + np.arange(9), -(2.0**23) + np.arange(100)
    frames = [pd.DataFrame({"n": part}) for part in (near, near[:1], far)]
    field = Schema([Numeric("n")]).fit(frames).fields[0]
    values = np.concatenate([frame["n"] for frame in frames])
    assert field.mean == pytest.approx(values.mean(), rel=1e-14)
    assert field.std == pytest.approx(values.std(), rel=1e-14)
    alone = Schema([Numeric("n")]).fit(frames[:2]).fields[0]
    assert alone.std == pytest.approx(values[:10].std(), rel=1e-12)


def test_a_constant_column_becomes_zero():
    schema = Schema([Numeric("n")]).fit(pd.DataFrame({"n": [4, 4, 4]}))
    assert schema.fields[0].std == 1.0
    encoded = schema.encode(schema.raw_columns(pd.DataFrame({"n": [4, 4]})))
    assert encoded["n"].numpy().tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("value", [1_700_000_012_345, 123_456.7])
def test_a_constant_that_float32_rounds_becomes_zero(value):
    frame = pd.DataFrame({"n": [value] * 4})
    schema = Schema([Numeric("n")]).fit(frame)
    assert (
        schema.encode(schema.raw_columns(frame))["n"].numpy().ravel().tolist()
        == [0.0] * 4
    )


def test_a_number_beyond_float32_is_left_out_of_the_moments():
    frame = pd.DataFrame({"n": [1.0, 2.0, 3.0, 1e39]})
    schema = Schema([Numeric("n")]).fit(frame)
    encoded = schema.encode(schema.raw_columns(frame))["n"].numpy().ravel()
    deviation = np.sqrt(3 / 2)
    np.testing.assert_allclose(encoded, [-deviation, 0, deviation, 0], rtol=1e-6)


def zeros_and_more(kind):
    """`[N]`, mostly zeros: counts, a flag, or the same below zero, too."""
    generator = np.random.default_rng(0)
    zero = generator.random(4000) < {"flag": 0.9, "negative": 0.6}.get(kind, 0.8)
    large = generator.lognormal(size=4000)
    if kind == "flag":
        large = np.ones(4000)
    elif kind == "negative":
        large *= generator.choice([-1, 1], 4000)
    return np.where(zero, 0.0, large)


@pytest.mark.parametrize("kind", ["counts", "flag", "negative"])
@pytest.mark.parametrize("num_bins", [4, 10])
def test_a_frequent_value_has_a_bin_without_larger_ones(kind, num_bins):
    values = zeros_and_more(kind)
    frame = pd.DataFrame({"n": values})
    schema = Schema([Numeric("n", "quantile", num_bins=num_bins)]).fit(frame)
    rows = schema.encode({"n": values.astype("float32")})["n"].numpy()
    of_zero = rows == rows[values == 0][0]
    # Cuts are exact to about a tenth of a bin.
    assert (of_zero & (values != 0)).mean() <= 0.1 / num_bins
    assert len(np.unique(rows)) <= num_bins


@pytest.mark.parametrize("values", [[3.0], [3.0, np.nan], [3.0, 3.0, 3.0]])
def test_one_value_is_a_boundary(values):
    frame = pd.DataFrame({"n": values})
    schema = Schema([Numeric("n", "quantile", num_bins=4)]).fit(frame)
    assert schema.field("n").boundaries == (3.0,)


def test_quantile_bins_hold_equal_counts():
    values = np.random.default_rng(0).lognormal(size=20_000)
    frame = pd.DataFrame({"n": values})
    schema = Schema([Numeric("n", "quantile", num_bins=10)]).fit(frame)
    cuts = np.quantile(values, np.arange(1, 10) / 10)
    np.testing.assert_allclose(schema.fields[0].boundaries, cuts, rtol=0.02)
    bins = schema.encode(schema.raw_columns(frame))["n"].numpy()
    counts = np.bincount(bins, minlength=11)
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:], 2000, rtol=0.05)


def test_a_frequent_value_makes_fewer_bins():
    field = learned(Numeric("n", "quantile", num_bins=4), [0.0] * 90 + [1.0] * 10)
    assert len(field.boundaries) < 3
    assert sorted(set(field.boundaries)) == list(field.boundaries)


def click_frames():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "user": rng.choice(
                ["ann", "bob", "cid", "dan"], 900, p=[0.4, 0.3, 0.2, 0.1]
            ),
            "item": rng.integers(0, 50, 900),
            "tags": [list(rng.integers(0, 9, rng.integers(0, 4))) for _ in range(900)],
            "price": rng.normal(5, 2, 900),
            "age": rng.uniform(18, 80, 900),
        }
    )
    return frame, [frame[:100], frame[100:101], frame[101:]]


def click_schema():
    return Schema(
        [
            Categorical("user"),
            Categorical("item", min_count=3),
            Categorical("tags", multivalent=True),
            Numeric("price"),
            Numeric("age", "quantile", num_bins=5),
        ]
    )


def test_parts_in_any_order_teach_the_same_as_the_whole():
    frame, parts = click_frames()
    whole = click_schema().fit(frame)
    for frames in (parts, iter(parts), (part for part in reversed(parts))):
        schema = click_schema().fit(frames)
        assert schema.coverage == whole.coverage
        for name in ("user", "item", "tags"):
            assert schema.field(name) == whole.field(name)
        assert schema.field("price").mean == pytest.approx(whole.field("price").mean)
        assert schema.field("price").std == pytest.approx(whole.field("price").std)
        np.testing.assert_allclose(
            schema.field("age").boundaries, whole.field("age").boundaries, rtol=0.02
        )


def test_coverage_is_the_share_of_values_with_a_row_of_their_own():
    frame = pd.DataFrame(
        {
            "a": ["x", "x", "y", None],
            "b": [[1, 1], [2], [], [3]],
            "n": [1, 2, np.nan, 4],
        }
    )
    fields = [
        Categorical("a", min_count=2),
        Categorical("b", vocabulary=[1, 2], multivalent=True),
        Numeric("n"),
    ]
    coverage = Schema(fields).fit(frame).summary()["coverage"]
    assert coverage.tolist() == [2 / 4, 3 / 4, 3 / 4]


def test_fit_leaves_the_given_fields_unchanged_and_forgets_the_last_fit():
    field = Categorical("c")
    schema = Schema([field])
    assert schema.fit(pd.DataFrame({"c": ["a"]})) is schema
    assert not Schema([field]).fitted
    schema.fit(pd.DataFrame({"c": [5, 5, 6]}))
    assert schema.fields[0].vocabulary == (5, 6)
    assert schema.encode({"c": [6]})["c"].numpy() == [3]


def test_a_failed_fit_changes_nothing():
    schema = Schema([Categorical("c")]).fit(pd.DataFrame({"c": ["a"]}))
    frames = [pd.DataFrame({"c": ["b"]}), pd.DataFrame({"d": ["b"]})]
    with pytest.raises(ValueError, match="'c'"):
        schema.fit(frames)
    assert schema.fields[0].vocabulary == ("a",)


def test_labels_and_groups_are_checked():
    frame = pd.DataFrame({"click": [True, False], "day": ["b", None], "c": [1, 2]})
    schema = Schema([Categorical("c")], group="day")
    assert schema.labels(frame).tolist() == [1.0, 0.0]
    assert schema.labels(frame).dtype == np.float32
    assert schema.groups(frame).tolist() == [0, -1]
