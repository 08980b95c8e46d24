"""Mistakes show when a source is opened, or by their own words while it is read."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tf_ctr import data
from tf_ctr.data import tfrecord
from tf_ctr.features import Categorical, Numeric, Schema, Sequence
from tf_ctr.rows import files as row_files

FRAME = pd.DataFrame(
    {
        "item": [5, 7, 5],
        "history": [[5], [], [5, 7]],
        "price": [1.0, 2.0, 3.0],
        "click": [0, 1, 1],
    }
)


@pytest.fixture
def schema():
    fields = [Categorical("item"), Sequence("history", of="item"), Numeric("price")]
    return Schema(fields).fit(FRAME)


def write_csv(frame, path):
    lists = frame["history"].map(lambda ids: "|".join(map(str, ids)))
    frame.assign(history=lists).to_csv(path, index=False)


def write_records(frame, path, names=None):
    """Records with the given features only, in the dtypes of the frame."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in frame.to_dict("records"):
            example = tf.train.Example()
            for name in names or row:
                feature, values = example.features.feature[name], np.ravel(row[name])
                if isinstance(row[name], str):
                    feature.bytes_list.value.extend(v.encode() for v in values)
                elif values.dtype.kind == "i" or name == "history":
                    feature.int64_list.value.extend(values.astype(int))
                else:
                    feature.float_list.value.extend(values)
            writer.write(example.SerializeToString())


WRITE = {
    "parquet": lambda frame, path: frame.to_parquet(path),
    "csv": write_csv,
    "tfrecord": write_records,
}


@pytest.fixture(params=list(WRITE))
def source(request):
    """The name of a kind of file."""
    return request.param


@pytest.fixture
def opened(source, schema, tmp_path):
    """A function that writes a frame to a file and opens it as a source."""

    def write_and_open(frame, **options):
        path = tmp_path / f"a.{source}"
        WRITE[source](frame, path)
        return getattr(data, f"from_{source}")(path, schema, **options)

    return write_and_open


def test_the_valid_frame_opens(opened):
    assert [len(label) for _, label in opened(FRAME)] == [3]


def test_a_missing_column_raises_when_the_data_is_opened(opened):
    with pytest.raises(ValueError, match=r"'price'(.|\n)*Fix: use one of: .*item"):
        opened(FRAME.drop(columns="price"))
    with pytest.raises(ValueError, match=r"'click'(.|\n)*Fix: use one of: .*item"):
        opened(FRAME.drop(columns="click"))


def test_a_wrong_dtype_raises_when_the_data_is_opened(opened, source):
    # What was expected, and what helps: in a file of text there are cells, not dtypes.
    ids, numbers = {
        "parquet": (r"'item'(.|\n)*astype\('Int64'\)", r"'price'(.|\n)*to_numeric"),
        "csv": (
            r"int64(.|\n)*'a'(.|\n)*Int64",
            r"double(.|\n)*'a'(.|\n)*correct the file",
        ),
        "tfrecord": (r"'item'(.|\n)*int64_list", r"'price'(.|\n)*float_list"),
    }[source]
    with pytest.raises((TypeError, ValueError), match=ids):
        opened(FRAME.assign(item=["a", "b", "c"]))
    with pytest.raises((TypeError, ValueError), match=numbers):
        opened(FRAME.assign(price=["a", "b", "c"]))


@pytest.mark.parametrize("label", [[0, 1, 2], [0.0, np.nan, 1.0]])
def test_a_wrong_label_raises_while_reading(opened, label, source):
    frame = FRAME.assign(click=label)
    if source == "parquet":  # The statistics of a row group tell it before.
        with pytest.raises(ValueError, match=r"label 'click'(.|\n)*row group 0\."):
            opened(frame)
        return
    dataset = opened(frame)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="label .*click.* to be 0 or 1"
    ):
        list(dataset)


@pytest.mark.parametrize("name", ["parquet", "csv", "tfrecord"])
def test_paths_without_files_are_refused(schema, tmp_path, name):
    read = getattr(data, f"from_{name}")
    (tmp_path / "other.txt").touch()
    for path in (tmp_path, tmp_path / "a.txt", f"{tmp_path}/*.{name}", [tmp_path]):
        with pytest.raises(ValueError, match="(names none|other endings)(.|\n)*Fix: "):
            read(path, schema)
    with pytest.raises(ValueError, match="at least one (path|frame)(.|\n)*empty list"):
        read([], schema)
    with pytest.raises(TypeError, match="list of paths(.|\n)*None(.|\n)*Fix: "):
        read(None, schema)


def test_wrong_arguments_are_refused(opened, schema):
    for options in ({"batch_size": 0}, {"seed": -1}, {"shuffle_blocks": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            opened(FRAME, **options)
    for options in ({"batch_size": 2.0}, {"seed": None}):
        with pytest.raises(ValueError, match=next(iter(options))):
            data.from_frame(FRAME, schema, **options)


def test_unreadable_frames_are_refused(schema):
    with pytest.raises(ValueError, match="at least one row"):
        data.from_frame(FRAME[:0], schema)
    with pytest.raises(ValueError, match="'click'"):
        data.from_frame(FRAME.drop(columns="click"), schema)
    with pytest.raises(ValueError, match="0 or 1"):
        data.from_frame(FRAME.assign(click=2), schema)
    with pytest.raises(ValueError, match="4 rows(.|\n)*3 rows(.|\n)*batch_size"):
        data.from_frame(FRAME, schema, batch_size=4, drop_remainder=True)
    with pytest.raises(TypeError, match="DataFrame"):
        data.from_frame({"item": [5]}, schema)
    with pytest.raises(ValueError, match="fitted"):
        data.from_frame(FRAME, Schema([Categorical("item")]))


def test_parquet_without_rows_or_a_full_batch_is_refused(schema, tmp_path):
    path = tmp_path / "a.parquet"
    FRAME.to_parquet(path)
    with pytest.raises(ValueError, match="4 rows(.|\n)*3 rows(.|\n)*batch_size"):
        data.from_parquet(path, schema, batch_size=4, drop_remainder=True)
    FRAME[:0].astype({"item": int}).to_parquet(path)
    with pytest.raises((TypeError, ValueError), match="Fix: "):
        data.from_parquet(path, schema)


def test_the_file_at_fault_is_named(schema, tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    FRAME.drop(columns="price").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"'price'(.|\n)*In .*b\.parquet"):
        data.from_parquet(tmp_path, schema)


@pytest.mark.parametrize(
    ("text", "words"),
    [("item,history,price,click\n", "at least one row"), ("", "Empty CSV")],
)
def test_a_csv_without_rows_is_refused(schema, tmp_path, text, words):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=f"{words}(.|\n)*Fix: "):
        data.from_csv(tmp_path, schema)


def test_a_csv_cell_of_the_wrong_type_names_the_cell(schema, tmp_path, monkeypatch):
    # Blocks so short that the wrong cell is not in the first one.
    monkeypatch.setattr(row_files, "BLOCK_BYTES", 64)
    path = tmp_path / "a.csv"
    good = "5,5|7,1.0,1\n" * 50
    path.write_text(f"item,history,price,click\n{good}5.0,5,1.0,1\n")
    dataset = data.from_csv(path, schema)
    with pytest.raises(tf.errors.InvalidArgumentError, match="'5.0'(.|\n)*Int64"):
        list(dataset)
    path.write_text("item,history,price,click\n5,5|x,1.0,1\n")
    with pytest.raises(ValueError, match="'x'(.|\n)*Fix: "):
        data.from_csv(path, schema)


def test_lists_as_python_writes_them_are_not_ids(schema, tmp_path):
    path = tmp_path / "a.csv"
    FRAME.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"'history'(.|\n)*'\|'\.join\("):
        data.from_csv(path, schema)


def test_a_repeated_name_in_a_csv_header_is_refused(schema, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("item,item,history,price,click\n5,7,5,1.0,1\n")
    with pytest.raises(ValueError, match=r"a\.csv(.|\n)*named item(.|\n)*rename"):
        data.from_csv(path, schema)


def test_an_empty_separator_is_refused(schema, tmp_path):
    write_csv(FRAME, tmp_path / "a.csv")
    for separator in ("", None):
        with pytest.raises(ValueError, match="`separator`(.|\n)*Fix: "):
            data.from_csv(tmp_path, schema, separator=separator)


def test_a_text_label_in_a_csv_is_refused(schema, tmp_path):
    write_csv(FRAME.assign(click=["yes", "no", "no"]), tmp_path / "a.csv")
    with pytest.raises(TypeError, match="numbers in column 'click'"):
        data.from_csv(tmp_path, schema)
    assert len(list(data.from_csv(tmp_path, schema, labelled=False))) == 1


def test_a_parquet_file_that_is_damaged_is_named(schema, tmp_path):
    path = tmp_path / "a.parquet"
    FRAME.to_parquet(path)
    whole = path.read_bytes()
    garbled = whole[:-30] + b"\xff" * 22 + whole[-8:]
    for content in (b"", b"item,click\n" * 20, whole[:-20], garbled):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.parquet(.|\n)*whole(.|\n)*Fix: "):
            data.from_parquet(tmp_path, schema)


def test_tfrecord_files_without_records_are_refused(schema, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.tfrecord").touch()
    with pytest.raises(ValueError, match="at least one row"):
        data.from_tfrecord(tmp_path, schema)


def test_a_file_in_another_format_than_tfrecord_is_refused(schema, tmp_path):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"item,click\n" * 20)
    with pytest.raises(ValueError, match="uncompressed TFRecord(.|\n)*Fix: "):
        data.from_tfrecord(path, schema)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"\xff\xff")
    with pytest.raises(ValueError, match="uncompressed TFRecord(.|\n)*Fix: "):
        data.from_tfrecord(path, schema)


def test_records_with_labels_of_different_types_are_refused(schema, tmp_path):
    write_records(FRAME, tmp_path / "a.tfrecord")
    write_records(FRAME.astype({"click": float}), tmp_path / "b.tfrecord")
    with pytest.raises(TypeError, match="one type(.|\n)*Fix: "):
        data.from_tfrecord(tmp_path, schema)


def test_records_without_a_field_of_the_schema_are_refused(schema, tmp_path):
    write_records(FRAME, tmp_path / "a.tfrecord")
    write_records(FRAME, tmp_path / "b.tfrecord", ["item", "history", "click"])
    with pytest.raises(ValueError, match=r"b\.tfrecord(.|\n)*'price'"):
        data.from_tfrecord(tmp_path, schema)


@pytest.mark.parametrize(
    ("later", "names", "words"),
    [
        (FRAME.astype({"click": float}), None, "click"),
        (FRAME.assign(item=["a", "b", "c"]), None, "item"),
        (FRAME, ["item", "history", "price"], "click"),
        (FRAME.assign(click=7), None, "label .*click.* to be 0 or 1"),
    ],
)
def test_a_record_at_fault_further_down_names_its_file(
    schema, tmp_path, monkeypatch, later, names, words
):
    monkeypatch.setattr(tfrecord, "CHECKED_RECORDS", 3)
    write_records(FRAME, tmp_path / "a.tfrecord")
    write_records(FRAME, tmp_path / "first.tfrecord")
    write_records(later, tmp_path / "later.tfrecord", names)
    joined = b"".join(
        (tmp_path / f"{part}.tfrecord").read_bytes() for part in ("first", "later")
    )
    (tmp_path / "first.tfrecord").unlink()
    (tmp_path / "later.tfrecord").unlink()
    (tmp_path / "b.tfrecord").write_bytes(joined)
    dataset = data.from_tfrecord(tmp_path, schema)
    with pytest.raises(tf.errors.InvalidArgumentError, match=words) as caught:
        list(dataset)
    assert "b.tfrecord" in str(caught.value)


def test_a_failed_write_keeps_the_old_records(schema, tmp_path):
    path = tmp_path / "a.tfrecord"
    data.to_tfrecord(FRAME, schema, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="0 or 1"):
        data.to_tfrecord(FRAME.assign(click=2), schema, path)
    with pytest.raises(ValueError, match="the folder(.|\n)*file name"):
        data.to_tfrecord(FRAME, schema, tmp_path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.tfrecord"]
