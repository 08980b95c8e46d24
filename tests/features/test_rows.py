"""A schema learns from files what it learns from one frame, however they are cut."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.support.frames import write_days
from tf_ctr.data import rows
from tf_ctr.features import Categorical, Numeric, Schema, Sequence

RNG = np.random.default_rng(0)
SIZE = 300
FRAME = pd.DataFrame(
    {
        "user-item_affinity": RNG.integers(0, 9, SIZE),
        "price": np.where(RNG.random(SIZE) < 0.1, np.nan, RNG.lognormal(size=SIZE)),
        "history": [list(map(int, RNG.integers(0, 9, i % 4))) for i in range(SIZE)],
        "day": np.repeat([1, 2, 3], SIZE // 3),
        "click": RNG.integers(0, 2, SIZE),
    }
)


def fields():
    return [
        Categorical("item", column="user-item_affinity"),
        Categorical("day"),
        Sequence("history", of="item", max_length=3),
        Numeric("price"),
        Numeric("bins", "quantile", num_bins=5, column="price"),
    ]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The frame in a Hive folder; no test changes it."""
    return write_days(FRAME, tmp_path_factory.mktemp("log"), row_group_size=17)


def test_a_schema_of_files_is_that_of_the_frame_to_the_bit(log):
    expected = Schema(fields()).fit(FRAME)
    sources = (log, rows(log), [FRAME[:7], FRAME[7:]], lambda: iter([FRAME]))
    for source in sources:
        schema = Schema(fields()).fit(source)
        assert schema.fields == expected.fields
        assert schema.coverage == expected.coverage


def test_extend_and_unseen_share_take_files(log):
    one = Schema(fields()).fit(rows(log, filter=[("day", "=", 1)]))
    of_frame = Schema(fields()).fit(FRAME[FRAME["day"] == 1])
    assert one.fields == of_frame.fields
    assert one.extend(log).fields == of_frame.extend(FRAME).fields
    pd.testing.assert_series_equal(one.unseen_share(log), of_frame.unseen_share(FRAME))


def test_the_file_at_fault_is_named_before_any_row_is_read(tmp_path):
    for index in range(5):
        item = ["a"] if index == 3 else [1]
        frame = pd.DataFrame({"item": item, "n": [1.0]})
        frame.to_parquet(tmp_path / f"{index}.parquet")
    schema = Schema([Categorical("item"), Numeric("n")])
    with pytest.raises(TypeError, match=r"'item'(?s:.)*In .*3\.parquet, row group 0"):
        schema.fit(tmp_path)
    frame.drop(columns="n").to_parquet(tmp_path / "3.parquet")
    with pytest.raises(ValueError, match=r"'n'(?s:.)*In .*3\.parquet, row group 0"):
        schema.fit(tmp_path)


def test_a_value_at_fault_names_its_row_group(tmp_path):
    frame = pd.DataFrame({"item": [1.0, 2.0, 3.5]})
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=2)
    with pytest.raises(TypeError, match=r"3\.5(?s:.)*In .*a\.parquet, row group 1\."):
        Schema([Categorical("item")]).fit(tmp_path)


def test_a_progress_bar_counts_the_rows(log, capsys):
    schema = Schema([Categorical("day")]).fit(log)
    assert capsys.readouterr().out == ""
    schema.fit(log, verbose=1)
    assert "300/300" in capsys.readouterr().out
    # The number of rows after a filter is not known before.
    schema.extend(rows(log, filter=[("day", "<", 3)]), verbose=1)
    assert "200/Unknown" in capsys.readouterr().out


def test_no_row_is_refused(log):
    nothing = rows(log, filter=[("day", ">", 3)])
    with pytest.raises(ValueError, match="at least one row"):
        Schema([Categorical("day")]).fit(nothing)


def test_a_column_may_have_any_name():
    schema = Schema(fields()).fit(FRAME)
    raw = schema.raw_columns(FRAME)
    assert list(raw) == ["item", "day", "history", "price", "bins"]
    np.testing.assert_array_equal(raw["item"], FRAME["user-item_affinity"])
    assert set(schema.example_rows(3)) == {"user-item_affinity", *list(raw)[1:4]}
    assert list(schema.inputs()) == list(raw)
    with pytest.raises(ValueError, match="'user-item_affinity'"):
        schema.fit(FRAME.drop(columns="user-item_affinity"))
    with pytest.raises(ValueError, match="`column`(?s:.)*''"):
        Categorical("item", column="")
    with pytest.raises(ValueError, match="that is not the label"):
        Schema([Categorical("item", column="click")])


def test_the_group_may_be_a_field_with_another_column():
    schema = Schema(fields(), group="item").fit(FRAME)
    codes = schema.groups(FRAME)
    assert len(set(codes)) == FRAME["user-item_affinity"].nunique()
    assert schema.group_column == "user-item_affinity"


def test_a_saved_schema_keeps_columns_and_reads_files_without_them(tmp_path):
    schema = Schema(fields()).fit(FRAME)
    schema.save(tmp_path / "schema.json")
    loaded = Schema.load(tmp_path / "schema.json")
    assert loaded.fields == schema.fields
    assert loaded.field("item").column == "user-item_affinity"
    # Fields that are called like their column are saved as before columns had names.
    saved = json.loads((tmp_path / "schema.json").read_text())["fields"]
    assert ["column" in each for each in saved] == [True, False, False, False, True]


def test_booleans_are_the_ids_one_and_zero():
    frame = pd.DataFrame({"flag": [True, False, True], "click": [True, False, True]})
    schema = Schema([Categorical("flag")]).fit(frame)
    assert schema.field("flag").vocabulary == (1, 0)
    assert schema.raw_columns(frame)["flag"].tolist() == [1, 0, 1]
    nullable = frame.astype({"flag": "boolean"})
    assert schema.raw_columns(nullable)["flag"].tolist() == [1, 0, 1]
    text = Schema([Categorical("flag", dtype="string")])
    with pytest.raises(TypeError, match="dtype string"):
        text.fit(frame)


@pytest.mark.parametrize("one", [1, 1.0])
@pytest.mark.parametrize("true", [True, np.True_])
def test_booleans_among_numbers_are_refused(true, one):
    """As ids and as labels."""
    mixed = pd.DataFrame({"c": pd.Series([one, true, 0], dtype=object)})
    with pytest.raises(TypeError, match="'c'(?s:.)*one type"):
        Schema([Categorical("c")]).fit(mixed)
    with pytest.raises(TypeError, match="'c'(?s:.)*one type"):
        Schema([Categorical("x")], label="c").labels(mixed)


@pytest.mark.parametrize("dtype", ["float64", "float32", object, "Float64"])
def test_a_day_without_a_value_fits_any_field(dtype):
    """pandas makes a column without values float64."""
    frame = pd.DataFrame({"s": ["a"], "i": [1], "l": [["a"]], "h": [[1]]})
    fields = [
        Categorical("s"),
        Categorical("i"),
        Categorical("l", multivalent=True),
        Sequence("h", of="i", max_length=2),
    ]
    schema = Schema(fields).fit(frame)
    empty = pd.DataFrame({name: pd.Series([np.nan] * 2, dtype=dtype) for name in frame})
    raw = schema.raw_columns(empty)
    assert raw["s"].tolist() == ["", ""]
    assert raw["i"].tolist() == [-1, -1]
    assert raw["l"].tolist() == [[""], [""]]
    assert raw["h"].tolist() == [[-1, -1], [-1, -1]]
    assert schema.extend(empty).fields == schema.fields
    # The first day of a log may be such a day.
    assert Schema(fields).fit([empty, frame]).fields == schema.fields


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_a_column_without_any_value_is_missing_whatever_its_dtype(missing):
    """pandas has floats there, e.g. in one row whose string is NaN."""
    schema = Schema(
        [
            Categorical("user", vocabulary=["ann"]),
            Categorical("tags", vocabulary=["a"], multivalent=True, max_length=2),
        ]
    )
    raw = schema.raw_columns(pd.DataFrame({"user": [missing], "tags": [missing]}))
    assert raw["user"].tolist() == [""] and raw["tags"].tolist() == [["", ""]]


def test_text_that_utf_8_cannot_hold_is_explained():
    schema = Schema([Categorical("user", vocabulary=["ann"])])
    frame = pd.DataFrame({"user": np.array(["\ud800"], object)}, dtype=object)
    with pytest.raises(TypeError, match="'user' to hold Unicode text(.|\n)*Fix"):
        schema.raw_columns(frame)
