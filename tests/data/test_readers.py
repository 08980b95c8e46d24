"""Every source gives the same rows; shuffling neither loses nor repeats one."""

import collections
import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tf_ctr import data
from tf_ctr.features import Categorical, Numeric, Schema, Sequence
from tf_ctr.rows import files as row_files
from tf_ctr.rows import parts

ROWS = 257


def text_lists(rng, letters):
    return [list(rng.choice(letters, rng.integers(0, 5))) for _ in range(ROWS)]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    item = pd.Series(rng.integers(0, 20, ROWS), dtype="Int64")
    frame = pd.DataFrame(
        {
            "row": np.arange(ROWS),
            "user": rng.choice(["ann", "NA", "007", None], ROWS),
            "item": item.mask(rng.random(ROWS) < 0.1),
            "device": [f"d{i}" for i in rng.integers(0, 100, ROWS)],
            "tags": text_lists(rng, ["x", "y", "z"]),
            "history": [
                list(map(int, rng.integers(0, 25, i % 6))) for i in range(ROWS)
            ],
            "price": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(size=ROWS)),
            "age": rng.uniform(18, 80, ROWS),
            "unused": 1,
            "click": rng.integers(0, 2, ROWS),
        }
    )
    return frame


@pytest.fixture(scope="module")
def schema(frame):
    fields = [
        Categorical("row"),
        Categorical("user", min_count=2),
        Categorical("item"),
        Categorical("device", num_buckets=10),
        Categorical("tags", multivalent=True, max_length=3),
        Sequence("history", of="item", max_length=4),
        Numeric("price"),
        Numeric("age", "quantile", num_bins=4),
    ]
    return Schema(fields).fit(frame)


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    """Even the few rows of a test make several blocks."""
    monkeypatch.setattr(parts, "BLOCK_ROWS", 16)


@pytest.fixture(scope="module")
def files(frame, schema, tmp_path_factory):
    """The frame in three files of each kind; no test changes them."""
    folder = tmp_path_factory.mktemp("rows")
    joined = frame.assign(
        tags=frame["tags"].str.join("|"),
        history=[("|").join(map(str, ids)) for ids in frame["history"]],
    )
    for index, rows in enumerate(np.array_split(np.arange(ROWS), 3)):
        stem = str(folder / f"part{index}")
        frame.iloc[rows].to_parquet(f"{stem}.parquet", row_group_size=30)
        joined.iloc[rows].to_csv(f"{stem}.csv", index=False)
        data.to_tfrecord(frame.iloc[rows], schema, f"{stem}.tfrecord")
    return folder


def table(dataset):
    """All batches of a dataset as arrays."""
    batches = [
        {name: np.asarray(value) for name, value in features.items()}
        | {"click": np.asarray(label)}
        for features, label in dataset
    ]
    names = batches[0]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in names}


@pytest.fixture(params=["frame", "parquet", "csv", "tfrecord"])
def source(request, frame, files, schema):
    """A function of the options that returns the dataset of one source."""
    read = getattr(data, f"from_{request.param}")
    rows = frame if request.param == "frame" else files

    def open_source(schema=schema, **options):
        return read(rows, schema, **options)

    return open_source


def test_every_source_gives_the_encoded_rows_in_order(source, frame, schema):
    expected = schema.encode(schema.raw_columns(frame))
    got = table(source(batch_size=50))
    np.testing.assert_array_equal(got.pop("click"), frame["click"])
    assert list(got) == list(expected)
    for name, values in got.items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_batches_have_the_dtypes_and_shapes_of_the_inputs(source, schema):
    dataset = source(batch_size=50)
    features, label = dataset.element_spec
    assert label == tf.TensorSpec([None], tf.float32)
    for name, tensor in schema.inputs().items():
        assert features[name].dtype == tensor.dtype
        assert features[name].shape.as_list() == list(tensor.shape)
    assert [len(label) for _, label in dataset] == [50] * 5 + [7]


def test_full_batches_only(source):
    dataset = source(batch_size=50, drop_remainder=True)
    assert dataset.element_spec[1].shape == [50]
    assert [len(label) for _, label in dataset] == [50] * 5


def test_unlabelled_rows_need_no_label(source, schema, frame):
    other = Schema(schema.fields, label="not_there")
    features = next(iter(source(other, batch_size=ROWS, labelled=False)))
    expected = schema.encode(schema.raw_columns(frame))
    np.testing.assert_array_equal(features["row"], expected["row"])


def rows_of(dataset):
    return table(dataset)["row"].tolist()


def test_each_epoch_has_every_row_once_in_a_new_order(source):
    dataset = source(batch_size=50, shuffle=True, seed=3)
    plain = rows_of(source(batch_size=50))
    first, second = rows_of(dataset), rows_of(dataset)
    assert sorted(first) == sorted(second) == sorted(plain)
    assert first != second
    assert first != plain


def test_the_seed_decides_the_orders_of_all_epochs(source):
    one = source(batch_size=50, shuffle=True, seed=3)
    epochs = [rows_of(one), rows_of(one)]
    # Batch sizes and seeds may come from NumPy.
    same = source(batch_size=np.int64(50), shuffle=True, seed=np.int32(3))
    assert rows_of(same.repeat(2)) == epochs[0] + epochs[1]
    other = source(batch_size=50, shuffle=True, seed=4)
    assert rows_of(other) != epochs[0]


def test_rows_stay_whole_when_shuffled(source):
    plain = table(source(batch_size=50))
    mixed = table(source(batch_size=50, shuffle=True))
    back, there = np.argsort(mixed["row"]), np.argsort(plain["row"])
    for name in plain:
        np.testing.assert_array_equal(mixed[name][back], plain[name][there])


def test_every_row_may_come_first():
    """A uniform order: each place of 8 rows gets each row about equally often."""
    frame = pd.DataFrame({"row": range(8), "click": 0})
    schema = Schema([Categorical("row", vocabulary=range(8))])
    dataset = data.from_frame(frame, schema, 8, shuffle=True).repeat(2000)
    orders = table(dataset)["row"].reshape(-1, 8) - 2
    for place in orders.T:
        counts = np.bincount(place, minlength=8)
        # Chi-square with 7 degrees of freedom: one in a thousand exceeds 24.3.
        assert ((counts - 250) ** 2 / 250).sum() < 40
    assert len(collections.Counter(map(tuple, orders))) > 1800


def test_neighbours_in_an_order_are_unrelated(monkeypatch):
    """2**16 rows: an order by formula, such as `index_shuffle`, fails here."""
    monkeypatch.setattr(parts, "BLOCK_ROWS", 1 << 16)  # So many need no short blocks.
    frame = pd.DataFrame({"n": np.arange(2.0**16), "click": 0})
    schema = Schema([Numeric("n")]).fit(frame)
    order = table(data.from_frame(frame, schema, 4096, shuffle=True))["n"][:, 0]
    for lag in (1, 2, 64, 4096):
        correlation = np.corrcoef(order[:-lag], order[lag:])[0, 1]
        # Of standard deviation 1 / 256.
        assert abs(correlation) < 5 / 256


def test_shuffling_mixes_across_row_groups(files, schema):
    rows = np.array(rows_of(data.from_parquet(files, schema, 50, shuffle=True)))
    # The rows of the first batch come from more than the parts read side by side.
    assert np.ptp(rows[:50]) > 120


def test_the_number_of_batches_is_known(files, schema, frame):
    for dataset in (
        data.from_frame(frame, schema, 50, shuffle=True),
        data.from_parquet(files, schema, 50, shuffle=True),
    ):
        assert len(dataset) == 6
    assert len(data.from_frame(frame, schema, 50, drop_remainder=True)) == 5
    assert len(data.from_parquet(files, schema, 50, drop_remainder=True)) == 5


def test_paths_may_be_a_file_a_pattern_or_a_list(files, schema):
    parts = [files / f"part{i}.parquet" for i in (2, 0)]
    rows = rows_of(data.from_parquet(parts, schema))
    one = rows_of(data.from_parquet(str(parts[0]), schema))
    assert rows[: len(one)] == one
    assert rows[len(one) :] == rows_of(data.from_parquet(parts[1], schema))
    pattern = rows_of(data.from_parquet(f"{files}/part[02]*.parquet", schema))
    assert sorted(pattern) == sorted(rows)


def test_a_folder_in_place_of_a_file_stands_for_its_files(files, schema, tmp_path):
    day = tmp_path / "logs" / "day[1].parquet"
    day.mkdir(parents=True)
    shutil.copy(files / "part1.parquet", day / "part-0.snappy.parquet")
    (day / "_SUCCESS").touch()
    expected = rows_of(data.from_parquet(day / "part-0.snappy.parquet", schema))
    for path in (day, tmp_path / "logs", f"{tmp_path}/logs/*.parquet"):
        assert rows_of(data.from_parquet(path, schema)) == expected


def test_each_kind_of_field_works_without_the_others(frame):
    numbers = [Numeric("price"), Numeric("age", "quantile", num_bins=2)]
    for field in (*numbers, Categorical("user")):
        schema = Schema([field]).fit(frame)
        batch, _ = next(iter(data.from_frame(frame, schema, 10)))
        expected = schema.encode(schema.raw_columns(frame[:10]))
        np.testing.assert_array_equal(batch[field.name], expected[field.name])


def test_a_csv_may_have_another_separator(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("tags,click\na;b,0\n,1\nb,1\n", encoding="utf-8")
    schema = Schema([Categorical("tags", ["a", "b"], multivalent=True, max_length=2)])
    rows = table(data.from_csv(path, schema, separator=";"))
    assert rows["tags"].tolist() == [[2, 3], [0, 0], [3, 0]]


def test_an_empty_element_of_a_csv_cell_is_missing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("tags,click\n1||2,0\n|,1\n2|,1\n", encoding="utf-8")
    schema = Schema([Categorical("tags", [1, 2], multivalent=True, max_length=2)])
    rows = table(data.from_csv(path, schema))
    assert rows["tags"].tolist() == [[2, 3], [0, 0], [3, 0]]


def test_csv_labels_may_be_true_and_false(tmp_path):
    path = tmp_path / "a.csv"
    pd.DataFrame({"c": ["a", "b"], "click": [True, False]}).to_csv(path, index=False)
    rows = table(data.from_csv(path, Schema([Categorical("c", ["a"])])))
    assert rows["click"].tolist() == [1.0, 0.0]


def test_csv_columns_outside_the_schema_are_ignored(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "BLOCK_BYTES", 64)
    path = tmp_path / "a.csv"
    # A number in the first block, and text in a later one.
    path.write_text("c,other,click\n" + "a,1,0\n" * 50 + "a,x,1\n", encoding="utf-8")
    rows = table(data.from_csv(path, Schema([Categorical("c", ["a"])])))
    assert rows["click"].tolist() == [0.0] * 50 + [1.0]


def test_tfrecord_files_without_records_are_skipped(files, schema, tmp_path):
    shutil.copy(files / "part0.tfrecord", tmp_path)
    (tmp_path / "part1.tfrecord").touch()
    expected = rows_of(data.from_tfrecord(files / "part0.tfrecord", schema))
    assert rows_of(data.from_tfrecord(tmp_path, schema)) == expected


def test_a_feature_absent_from_a_record_is_read_as_missing(tmp_path):
    path = tmp_path / "a.tfrecord"
    record = tf.train.Example()
    record.features.feature["c"].bytes_list.value.append(b"a")
    record.features.feature["n"].float_list.value.append(3.0)
    record.features.feature["click"].int64_list.value.append(1)
    sparse = tf.train.Example()
    sparse.features.feature["click"].int64_list.value.append(0)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(record.SerializeToString())
        writer.write(sparse.SerializeToString())
    schema = Schema([Categorical("c", ["a"]), Numeric("n", mean=1.0, std=1.0)])
    rows = table(data.from_tfrecord(path, schema))
    assert rows["c"].tolist() == [2, 0]
    assert rows["n"].tolist() == [[2.0], [0.0]]
    assert rows["click"].tolist() == [1.0, 0.0]
