"""Workers share the rows of files: each row once, equal numbers of batches."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_ctr.data import from_rows, rows
from tf_ctr.data.shards import deal
from tf_ctr.features import Numeric, Schema

FRAME = pd.DataFrame({"n": np.arange(200.0), "day": np.arange(200) % 4, "click": 0})
SCHEMA = Schema([Numeric("n", mean=0.0, std=1.0, clip=None)])


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Files of uneven sizes, in row groups of 9."""
    folder = tmp_path_factory.mktemp("log")
    for index, (start, end) in enumerate([(0, 30), (30, 33), (33, 110), (110, 200)]):
        path = folder / f"{index}.parquet"
        FRAME[start:end].to_parquet(path, row_group_size=9)
    return folder


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 6))
def test_each_part_goes_to_one_worker_and_sums_are_close(sizes, count):
    hands = deal(sizes, count)
    assert sorted(place for hand in hands for place in hand) == list(range(len(sizes)))
    sums = [sum(sizes[place] for place in hand) for hand in hands]
    assert max(sums) - min(sums) <= max(sizes, default=0)


def read(source, count, **options):
    """The numbers of each worker, batch by batch."""
    shards = (
        from_rows(source, SCHEMA, 16, shard=(index, count), **options)
        for index in range(count)
    )
    return [[x["n"].numpy()[:, 0] for x, _ in shard] for shard in shards], shards


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("shuffle", [False, True])
def test_workers_have_as_many_batches_and_no_row_twice(log, count, shuffle, capsys):
    workers, _ = read(log, count, shuffle=shuffle)
    assert len({len(batches) for batches in workers}) == 1
    seen = np.concatenate([np.concatenate(batches) for batches in workers])
    assert len(np.unique(seen)) == len(seen)
    lines = capsys.readouterr().out.splitlines()
    left_out = sum(int(line.split("; ")[1].split(" ")[0]) for line in lines)
    assert (len(lines), len(seen) + left_out) == (count, 200)
    # Row groups of 9 and batches of 16: at most a batch of each worker.
    assert left_out < 16 * count


def test_full_batches_only_and_their_number(log):
    for index in range(3):
        dataset = from_rows(log, SCHEMA, 16, drop_remainder=True, shard=(index, 3))
        assert len(dataset) == 4
        assert [len(labels) for _, labels in dataset] == [16] * 4


def test_filtered_rows_and_text_are_counted(log, tmp_path):
    kept = [("day", "in", [1, 2])]
    workers, _ = read(rows(log, filter=kept), 2)
    numbers = np.concatenate([np.concatenate(batches) for batches in workers])
    assert set(numbers % 4) == {1, 2}
    for index in range(4):
        own = FRAME[index * 50 : (index + 1) * 50]
        own.to_csv(tmp_path / f"{index}.csv", index=False)
    workers, _ = read(tmp_path, 2)
    assert [sum(map(len, batches)) for batches in workers] == [100, 100]


@pytest.mark.parametrize(
    ("source", "shard", "words"),
    [
        ("log", (2, 2), r"0 <= index < count"),
        ("log", (0, 0), r"0 <= index < count"),
        ("log", 3, r"\(index, count\)"),
        ("log", (0, 40), "for each of 40 workers"),
        ("iterator", (0, 2), "rows in files"),
    ],
)
def test_a_wrong_shard_is_refused(log, source, shard, words):
    source = log if source == "log" else iter([FRAME])
    with pytest.raises(ValueError, match=f"{words}(?s:.)*Fix: "):
        from_rows(source, SCHEMA, 16, shard=shard)
