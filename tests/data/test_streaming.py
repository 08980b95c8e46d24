"""`from_rows`: any source, errors with their place, later epochs as the first."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.support.frames import write_days
from tf_ctr.data import from_frame, from_rows, rows
from tf_ctr.features import Categorical, Numeric, Schema
from tf_ctr.joint import mix
from tf_ctr.rows import parts

FRAME = pd.DataFrame(
    {
        "item-id": np.arange(90) % 7,
        "price": np.linspace(0, 1, 90),
        "day": np.repeat([1, 2, 3], 30),
        "click": np.arange(90) % 2,
    }
)


@pytest.fixture(scope="module")
def schema():
    return Schema([Categorical("item", column="item-id"), Numeric("price")]).fit(FRAME)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_days(FRAME, tmp_path_factory.mktemp("log"), row_group_size=9)


def table(dataset):
    features, labels = zip(*dataset, strict=True)
    columns = {
        name: np.concatenate([f[name] for f in features]) for name in features[0]
    }
    return columns | {"click": np.concatenate(labels)}


def equal(got, expected):
    assert list(got) == list(expected)
    for name in got:
        np.testing.assert_array_equal(got[name], expected[name])


def test_every_source_gives_the_batches_of_the_frame(log, schema):
    expected = table(from_frame(FRAME, schema, 16))
    batches = pa.Table.from_pandas(FRAME).to_batches(max_chunksize=11)
    for source in (
        log,
        rows(log),
        FRAME,
        batches,
        lambda: iter(batches),
        iter(batches),
    ):
        equal(table(from_rows(source, schema, 16)), expected)
    equal(table(from_frame(log, schema, 16)), expected)
    shuffled = from_rows(log, schema, 16, shuffle=True, seed=2)
    one, two = table(shuffled)["price"][:, 0], table(shuffled)["price"][:, 0]
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(np.sort(one), np.sort(expected["price"][:, 0]))


def test_the_number_of_batches_is_known_where_that_costs_nothing(log, schema):
    assert len(from_rows(log, schema, 16)) == 6
    filtered = from_rows(rows(log, filter=[("day", "=", 2)]), schema, 16)
    assert filtered.cardinality() == tf.data.UNKNOWN_CARDINALITY
    assert len(table(filtered)["click"]) == 30


def test_no_row_after_the_filter_is_refused_when_opened(log, schema):
    with pytest.raises(ValueError, match="at least one row"):
        from_rows(rows(log, filter=[("day", ">", 3)]), schema)
    # The statistics of the row groups cannot tell this one.
    nothing = rows(log, filter=[("item-id", "=", 3), ("price", "=", 0.5)])
    with pytest.raises(ValueError, match="at least one row"):
        from_rows(nothing, schema)


def test_a_bad_label_is_found_in_the_statistics_of_its_row_group(log, schema, tmp_path):
    for index in range(4):
        own = FRAME.astype({"click": "Int64"})
        if index == 2:
            own.loc[50, "click"] = pd.NA
        own.to_parquet(tmp_path / f"{index}.parquet", row_group_size=30)
    where = r"1 missing labels(?s:.)*In .*2\.parquet, row group 1\."
    with pytest.raises(ValueError, match=where):
        from_rows(tmp_path, schema)
    from_rows(tmp_path, schema, labelled=False)


def test_a_bad_label_without_statistics_names_its_place_when_read(schema, tmp_path):
    bad = FRAME.assign(click=np.where(np.arange(90) == 70, 3, FRAME["click"]))
    bad.to_parquet(tmp_path / "a.parquet", row_group_size=30, write_statistics=False)
    dataset = from_rows(tmp_path, schema)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"label 'click'(?s:.)*row group 2\."
    ) as error:
        list(dataset)
    # As it was written, and without a trace of Python.
    assert "every row.\nReceived: 1 of 30 rows" in error.value.message
    assert "Traceback" not in error.value.message


def test_a_second_epoch_of_an_iterator_says_what_happened(schema):
    dataset = from_rows(iter([FRAME]), schema, 16)
    assert len(list(dataset)) == 6
    with pytest.raises(tf.errors.InvalidArgumentError, match="iterator that was read"):
        list(dataset)
    again = from_rows(lambda: iter([FRAME]), schema, 16)
    assert [len(list(again)) for _ in range(2)] == [6, 6]


def test_a_file_that_vanishes_is_named(log, schema, tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    dataset = from_rows(tmp_path, schema)
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(tf.errors.OpError, match=r"a\.parquet"):
        list(dataset)


def test_a_file_that_is_added_later_belongs_to_no_epoch(schema, tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    dataset = from_rows(tmp_path, schema, 16)
    assert len(list(dataset)) == 6
    FRAME.to_parquet(tmp_path / "b.parquet")
    assert len(list(dataset)) == len(dataset) == 6


def test_domains_in_files_can_be_mixed(log, schema):
    source, target = (rows(log, filter=[("day", "=", day)]) for day in (1, 2))
    of_files = mix(
        *(from_rows(each, schema) for each in (source, target)), batch_size=8
    )
    frames = (FRAME[FRAME["day"] == day] for day in (1, 2))
    of_frames = mix(*(from_frame(each, schema) for each in frames), batch_size=8)
    equal(table(of_files), table(of_frames))


def test_blocks_do_not_change_the_rows(log, schema, monkeypatch):
    expected = table(from_rows(log, schema, 16))
    monkeypatch.setattr(parts, "BLOCK_ROWS", 4)
    equal(table(from_rows(log, schema, 16)), expected)
