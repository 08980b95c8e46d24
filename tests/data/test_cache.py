"""Encoded rows, written once and read without Python: the same batches, and errors."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tf_ctr import data
from tf_ctr.data import cache
from tf_ctr.features import Categorical, Numeric, Schema

ROWS = 90
FRAME = pd.DataFrame(
    {
        "item": np.arange(ROWS) % 7,
        "tags": [["x", "y", "z"][: i % 4] for i in range(ROWS)],
        "row": np.arange(ROWS) / 4,
        "click": np.arange(ROWS) % 2,
        "weight": 1.0 + np.arange(ROWS),
    }
)
FIELDS = [Categorical("item"), Categorical("tags", multivalent=True), Numeric("row")]


@pytest.fixture(scope="module")
def schema():
    return Schema(FIELDS, weight="weight").fit(FRAME)


@pytest.fixture(scope="module")
def written(schema, tmp_path_factory):
    """A cache in files of 16 to 31 rows."""
    path = tmp_path_factory.mktemp("rows") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "BLOCK_ROWS", 8)
        patch.setattr(cache, "FILE_ROWS", 16)
        data.to_cache(FRAME, schema, path)
    return path


def rows_of(dataset):
    rows = np.concatenate([batch[0]["row"].numpy()[:, 0] for batch in dataset])
    return rows.tolist()


def test_a_cache_gives_the_batches_of_the_frame(written, schema):
    assert len(list(written.glob("*.tfrecord"))) == 6
    dataset = data.from_cache(written, schema, 16)
    expected = data.from_frame(FRAME, schema, 16)
    assert dataset.element_spec == expected.element_spec
    assert len(dataset) == 6
    for own, other in zip(dataset, expected, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, own, other)
    unlabelled = next(iter(data.from_cache(written, schema, 16, labelled=False)))
    np.testing.assert_array_equal(unlabelled["item"], next(iter(expected))[0]["item"])


def test_epochs_have_every_row_once_in_new_orders(written, schema):
    dataset = data.from_cache(written, schema, 16, shuffle=True, seed=3)
    orders = [rows_of(dataset) for _ in range(2)]
    plain = rows_of(data.from_cache(written, schema, 16))
    assert sorted(orders[0]) == sorted(orders[1]) == plain
    assert orders[0] != orders[1]
    again = data.from_cache(written, schema, 16, shuffle=True, seed=3)
    assert [rows_of(again) for _ in range(2)] == orders


def test_workers_share_the_files(written, schema, capsys):
    shards = [data.from_cache(written, schema, 5, shard=(i, 2)) for i in range(2)]
    assert {len(shard) for shard in shards} == {9}
    rows = [row for shard in shards for row in rows_of(shard)]
    assert len(set(rows)) == len(rows) == 87
    assert "Shard 1 of 2" in capsys.readouterr().out


def test_a_wrong_cache_is_refused(written, schema, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"to_cache\(source, schema, path\)"):
        data.from_cache(tmp_path / "none", schema)
    other = Schema(FIELDS, weight="weight").fit(FRAME[:5])
    with pytest.raises(ValueError, match="the schema with which"):
        data.from_cache(written, other)
    (tmp_path / "log").mkdir()
    with pytest.raises(ValueError, match="which holds something else"):
        data.to_cache(FRAME, schema, tmp_path / "log")
    data.to_cache(FRAME, schema, tmp_path / "cache", labelled=False)
    with pytest.raises(ValueError, match="or pass labelled=False"):
        data.from_cache(tmp_path / "cache", schema)
    with pytest.raises(ValueError, match="at least one row"):
        data.to_cache(FRAME[:0], schema, tmp_path / "cache")
    data.to_cache(FRAME, schema, tmp_path / "cache")  # Replaces the one before.
    file = tmp_path / "cache/000000.tfrecord"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(tf.errors.DataLossError, match="truncated"):
        list(data.from_cache(tmp_path / "cache", schema))
