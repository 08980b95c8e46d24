"""Statistics of parts are those of the whole, in any order, and survive their file."""

import math

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_ctr.features import (
    Categorical,
    Numeric,
    Schema,
    Sequence,
    Statistics,
    Vector,
    id_learning,
    sketches,
)
from tf_ctr.files import DamagedError

RNG = np.random.default_rng(0)
SIZE = 200
FRAME = pd.DataFrame(
    {
        "user": [f"u{i}" for i in RNG.zipf(1.3, SIZE) % 40],
        "item": pd.Series(RNG.zipf(1.3, SIZE) % 30).where(RNG.random(SIZE) < 0.9),
        "tags": [list(RNG.integers(0, 9, i % 4)) for i in range(SIZE)],
        "device": [f"d{i}" for i in RNG.integers(0, 9, SIZE)],
        "price": RNG.lognormal(sigma=4, size=SIZE) * RNG.choice([-1, 1], SIZE),
        "age": RNG.integers(18, 60, SIZE),
        "history": [list(RNG.integers(0, 30, i % 3)) for i in range(SIZE)],
        "liked": [list(RNG.integers(0, 30, i % 5)) for i in range(SIZE)],
        "image": [[0.5, 1.0] if i % 3 else None for i in range(SIZE)],
    }
)


def unfitted():
    return Schema(
        [
            Categorical("user", min_count=2),
            Categorical("item", num_oov=2),
            Categorical("tags", multivalent=True),
            Categorical("device", num_buckets=4),
            Numeric("price"),
            Numeric("logarithm", transform="log", column="price"),
            Numeric("age", "quantile", num_bins=5),
            Sequence("history", of="item"),
            Categorical("liked", table="item", multivalent=True),
            Vector("image", dim=2),
        ]
    )


@pytest.fixture(scope="module")
def whole():
    return unfitted().fit(FRAME)


@pytest.fixture
def saved(tmp_path):
    """The statistics of the frame, and the path of their file."""
    statistics = unfitted().collect(FRAME, period=3)
    statistics.save(tmp_path / "day=3.parquet")
    return statistics, tmp_path / "day=3.parquet"


def assert_same(schema, expected):
    """To the bit: fields compare all that they have learned but the extent."""
    assert schema.fields == expected.fields
    assert schema.coverage == expected.coverage
    extents = [field.extent for field in schema.of_kind(Numeric).values()]
    assert extents == [field.extent for field in expected.of_kind(Numeric).values()]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, SIZE), max_size=5),
    st.permutations(range(6)),
    st.booleans(),
)
def test_rows_teach_the_same_however_they_are_cut(whole, cuts, order, at_once):
    edges = sorted([0, *cuts, SIZE])
    parts = [FRAME[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True) if a < b]
    parts = [parts[place] for place in order if place < len(parts)]
    found = [unfitted().collect(part) for part in parts]
    merged = found[0].merge(*found[1:]) if at_once else found[0]
    for other in found[1:] if not at_once else []:
        merged = other.merge(merged)
    assert merged.rows == SIZE
    assert_same(unfitted().fit(merged), whole)
    assert_same(unfitted().fit(parts), whole)


def test_ids_that_are_joined_in_between_are_counted_the_same(whole, monkeypatch):
    monkeypatch.setattr(id_learning, "GATHERED", 7)
    monkeypatch.setattr(id_learning, "MOST_APART", 3)
    monkeypatch.setattr(sketches, "GATHERED", 7)
    monkeypatch.setattr(sketches, "BLOCK", 5)
    assert_same(unfitted().fit([FRAME[i : i + 9] for i in range(0, SIZE, 9)]), whole)


def test_moments_are_the_exact_ones_rounded():
    values = FRAME["price"].to_numpy().astype(np.float32).astype(np.float64)
    moments = sketches.Moments()
    moments.add(values)
    mean = math.fsum(values) / SIZE
    assert moments.mean == mean
    assert moments.std == pytest.approx(
        math.sqrt(math.fsum((values - mean) ** 2) / SIZE), rel=1e-12
    )
    far = sketches.Moments()
    far.add(np.array([1e15, 1.0, -1e15, 1.0, 5e-324, -5e-324]))
    assert (far.count, far.mean) == (6, 1 / 3)


@pytest.mark.parametrize("values", [[2.5] * 9, np.float32([1e-45, 3e38, -3e38])])
def test_moments_of_equal_and_of_extreme_numbers(values):
    moments = sketches.Moments()
    moments.add(np.asarray(values, np.float64))
    assert moments.std == pytest.approx(np.std(np.float64(values)), rel=1e-14)


@pytest.mark.parametrize("most", [1 << 20, 64])
def test_the_rank_of_a_cut_is_off_by_what_is_counted_with_it(most, monkeypatch):
    monkeypatch.setattr(sketches, "MOST_VALUES", most)
    values = RNG.normal(size=4000).astype(np.float32)
    found = sketches.Quantiles()
    for part in np.split(values, 40):
        found.add(part)
    level, keys, counts = found.table()
    assert (level > 0) == (most == 64) and len(keys) <= most
    assert counts.sum() == 4000
    cuts = found.boundaries(10)
    below = (values < np.array(cuts)[:, np.newaxis]).mean(axis=1)
    error = np.abs(below - np.arange(1, 10) / 10)
    assert error.max() <= (0 if most > 64 else counts.max() / 4000)
    # In any order, and of many small parts.
    parts = [sketches.Quantiles() for _ in range(8)]
    for part, own in zip(parts, np.split(values[::-1], 8), strict=True):
        part.add(own)
    merged = parts[0].merged(parts[1:])
    for one, other in zip(merged.table(), found.table(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_cuts_of_small_frames_are_those_of_the_whole():
    """The sketch before cut many small frames at .159 for .1."""
    values = RNG.permutation(1000) / 1000
    frames = [pd.DataFrame({"n": part}) for part in np.split(values, 200)]
    schema = Schema([Numeric("n", "quantile", num_bins=10)]).fit(frames)
    np.testing.assert_allclose(
        schema.field("n").boundaries, np.arange(1, 10) / 10, atol=1e-7
    )


def test_negative_numbers_and_zeros_keep_their_order():
    values = np.float32([-3e38, -2.0, -0.0, 0.0, 1e-45, 2.0])
    found = sketches.Quantiles()
    found.add(values)
    assert found.boundaries(6) == [-2.0, 0.0, np.float32(1e-45), 2.0]
    assert found.table()[2].tolist() == [1, 1, 2, 1, 1]


def test_an_id_enters_when_its_count_over_the_days_is_large_enough():
    schema = Schema([Categorical("item", min_count=3)])
    day = pd.DataFrame({"item": [7, 7, 7, 5]})
    memory = schema.collect(day, period=0)
    schema.fit(memory)
    assert schema.field("item").vocabulary == (7,)
    for period, vocabulary in ((1, (7,)), (2, (7, 5)), (3, (7, 5))):
        memory = memory.merge(schema.collect(day[3:], period=period))
        schema = schema.extend(memory)
        assert schema.field("item").vocabulary == vocabulary
    assert schema.coverage["item"] == 1.0
    assert memory.counts("item").sort_by("id").to_pydict() == {
        "id": [5, 7],
        "count": [4, 3],
        "last": [3, 0],
    }


def test_idle_ids_are_dropped_and_the_others_keep_their_order():
    fields = [Categorical("user"), Categorical("given", vocabulary=["x", "y"])]
    frames = [
        pd.DataFrame({"user": users, "given": "x"})
        for users in (["a", "b", "a"], ["c", "b"], ["d", "c", "b"])
    ]
    schema = Schema(fields)
    parts = [schema.collect(frame, period=n) for n, frame in enumerate(frames)]
    memory = parts[0].merge(*parts[1:])
    schema.fit(memory)
    assert schema.field("user").vocabulary == ("b", "a", "c", "d")
    pruned = schema.prune(memory, idle_periods=2)
    assert pruned.field("user").vocabulary == ("b", "c", "d")
    assert pruned.field("given").vocabulary == ("x", "y")
    assert schema.field("user").vocabulary == ("b", "a", "c", "d")
    # What the memory does not reach is not known to be idle.
    assert schema.prune(memory, idle_periods=4).fields == schema.fields
    assert schema.prune(parts[2], idle_periods=2).fields == schema.fields
    assert schema.prune(parts[2], idle_periods=1).field("user").vocabulary == (
        "b",
        "c",
        "d",
    )


def test_what_is_forgotten_does_not_come_back():
    schema = Schema([Categorical("user", min_count=2)])
    parts = [
        schema.collect(pd.DataFrame({"user": users}), period=n)
        for n, users in enumerate((["a", "a"], ["b", "b"], ["b", "a"]))
    ]
    early = parts[0].merge(parts[1])
    memory = early.forget(idle_periods=1)
    assert memory.counts("user").to_pydict() == {
        "id": ["b"],
        "count": [2],
        "last": [1],
    }
    assert (memory.first, memory.last, memory.rows) == (1, 1, 4)
    schema = schema.fit(early).prune(memory, idle_periods=1)
    assert schema.field("user").vocabulary == ("b",)
    # Once is not twice: what `a` was before is forgotten.
    assert schema.extend(memory.merge(parts[2])).field("user").vocabulary == ("b",)
    assert schema.extend(early.merge(parts[2])).field("user").vocabulary == ("b", "a")


def test_the_file_gives_equal_statistics(saved, whole):
    statistics, path = saved
    loaded = Statistics.load(path)
    assert repr(loaded) == repr(statistics)
    assert (loaded.rows, loaded.first, loaded.last) == (SIZE, 3, 3)
    assert_same(unfitted().fit(loaded), whole)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    # Merged with others, as those in memory are.
    parts = [unfitted().collect(FRAME[:50]), unfitted().collect(FRAME[50:])]
    for part, name in zip(parts, ("a", "b"), strict=True):
        part.save(path.with_name(name))
    parts = [Statistics.load(path.with_name(name)) for name in ("a", "b")]
    assert_same(unfitted().fit(parts[1].merge(parts[0])), whole)
    # Anybody can read it.
    table = pq.read_table(path).to_pandas()
    counts = table[table["field"] == "user"].set_index("text")["count"]
    assert counts.sort_index().to_dict() == FRAME["user"].value_counts().to_dict()


def test_statistics_of_parts_without_values_merge_with_any():
    schema = Schema([Categorical("c"), Numeric("n")])
    empty = schema.collect(pd.DataFrame({"c": [None], "n": [np.nan]}))
    some = schema.collect(pd.DataFrame({"c": ["a"], "n": [2.0]}))
    for merged in (empty.merge(some), some.merge(empty, empty)):
        assert schema.fit(merged).field("c").vocabulary == ("a",)
        assert schema.coverage == {"c": 1 / merged.rows, "n": 1 / merged.rows}
    with pytest.raises(ValueError, match="at least one value in column 'c'"):
        schema.fit(empty)


def test_empty_statistics_survive_their_file(tmp_path):
    schema = Schema([Categorical("c"), Numeric("n"), Numeric("q", "quantile", 3)])
    schema.collect(pd.DataFrame({"c": [None], "n": [np.nan], "q": [None]})).save(
        tmp_path / "a"
    )
    loaded = Statistics.load(tmp_path / "a")
    some = schema.collect(pd.DataFrame({"c": ["a"], "n": [2.0], "q": [1.0]}))
    assert schema.fit(loaded.merge(some)).field("q").extent == (1.0, 1.0)


def test_periods_may_be_numbers_of_numpy(tmp_path):
    path = tmp_path / "days.parquet"
    frame = pd.DataFrame({"c": [1, 1]})
    days = [Schema([Categorical("c")]).collect(frame, np.int64(day)) for day in (3, 4)]
    days[0].merge(days[1]).forget(np.int32(1)).save(path)
    assert (Statistics.load(path).first, Statistics.load(path).last) == (4, 4)


def test_a_changed_file_is_refused(saved):
    _, path = saved
    content = path.read_bytes()
    for place in RNG.choice(len(content), 60, replace=False):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(RNG.integers(8))
        path.write_bytes(damaged)
        try:
            loaded = Statistics.load(path)
        except DamagedError:
            continue
        # Bits that hold nothing, e.g. the sizes in a page's header.
        assert repr(loaded) == repr(saved[0])
        for name in ("user", "item", "tags"):
            assert loaded.counts(name) == saved[0].counts(name)
    path.write_bytes(content[:-9])
    with pytest.raises(DamagedError, match="cannot be read(.|\n)*Fix: check the path"):
        Statistics.load(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DamagedError, match="no such file"):
        Statistics.load(tmp_path / "none")
    FRAME[["age"]].to_parquet(tmp_path / "other")
    with pytest.raises(DamagedError, match="another kind"):
        Statistics.load(tmp_path / "other")
    with pytest.raises(ValueError, match="the folder"):
        unfitted().collect(FRAME).save(tmp_path)


def test_statistics_of_other_fields_are_refused():
    frame = pd.DataFrame({"c": ["1"], "n": [1.0]})
    schema = Schema([Categorical("c"), Numeric("n")])
    statistics = schema.collect(frame)
    numbers = schema.collect(frame.assign(c=1))
    with pytest.raises(ValueError, match="'c' with dtype 'string'(.|\n)*'int64'"):
        statistics.merge(numbers)
    with pytest.raises(ValueError, match="the same fields(.|\n)*one schema"):
        statistics.merge(Schema([Categorical("c")]).collect(frame))
    with pytest.raises(TypeError, match="schema.collect"):
        statistics.merge(frame)
    for other in (
        Categorical("c", dtype="int64"),
        Categorical("c", padding="0"),
        Categorical("c", multivalent=True),
        Numeric("c"),
        Numeric("n", transform="log"),
        Numeric("n", "quantile", num_bins=2),
    ):
        with pytest.raises(ValueError, match=f"statistics of field '{other.name}'"):
            Schema([other]).fit(statistics)
    with pytest.raises(ValueError, match="'d'(.|\n)*use one of: c, n"):
        Schema([Categorical("d")]).fit(statistics)
    hashed = Schema([Categorical("c", num_buckets=2)])
    with pytest.raises(ValueError, match="values 'ids'(.|\n)*'hashed ids'"):
        Schema([Categorical("c")]).fit(hashed.collect(frame))


def test_wrong_arguments_are_explained():
    schema = Schema([Categorical("c")])
    frame = pd.DataFrame({"c": ["a"]})
    statistics = schema.collect(frame, period=5)
    with pytest.raises(ValueError, match="period(.|\n)*-1"):
        schema.collect(frame, period=-1)
    with pytest.raises(ValueError, match="idle_periods"):
        statistics.forget(0)
    with pytest.raises(ValueError, match="call schema.fit"):
        schema.prune(statistics, idle_periods=1)
    schema.fit(statistics)
    with pytest.raises(ValueError, match="idle_periods"):
        schema.prune(statistics, idle_periods=0)
    with pytest.raises(TypeError, match="schema.collect"):
        schema.prune(frame, idle_periods=1)
    later = schema.collect(pd.DataFrame({"c": ["b"]}), period=6)
    with pytest.raises(ValueError, match="an id of field 'c' that stays"):
        schema.prune(later, idle_periods=1)
    with pytest.raises(ValueError, match="counted ids(.|\n)*use one of: c"):
        statistics.counts("d")
