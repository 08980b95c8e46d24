"""A schema survives its JSON file; a bad file is named."""

import json

import numpy as np
import pandas as pd
import pytest

from tf_ctr.features import Categorical, Numeric, Schema, Sequence


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "user": ["Zoë", "李", None, "Zoë"],
            "item": pd.Series([2**62 + 1, 5, None, 5], dtype="Int64"),
            "device": ["a", "b", "c", "d"],
            "tags": [["x"], ["x", "y"], [], None],
            "price": [0.1, 0.2, 0.7, np.nan],
            "age": [20.0, 30.0, 40.0, 50.0],
            "history": [[5, 6], [], [5], None],
        }
    )


@pytest.fixture
def schema(frame):
    fields = [
        Categorical("user", num_oov=3),
        Categorical("item", padding=-5),
        Categorical("device", num_buckets=7),
        Categorical("tags", multivalent=True, pooling="sum"),
        Numeric("price"),
        Numeric("age", "quantile", num_bins=3),
        Sequence("history", of="item", max_length=4),
    ]
    return Schema(fields, label="buy", group="day").fit(frame)


def test_the_copy_equals_the_original(schema, frame, tmp_path):
    schema.save(tmp_path / "schema.json")
    copy = Schema.load(tmp_path / "schema.json")
    assert copy.fields == schema.fields
    assert (copy.label, copy.group) == ("buy", "day")
    pd.testing.assert_frame_equal(copy.summary(), schema.summary())
    raw = schema.raw_columns(frame)
    for name, tensor in copy.encode(copy.raw_columns(frame)).items():
        np.testing.assert_array_equal(tensor, schema.encode(raw)[name])


def test_the_file_is_stable_and_readable(schema, tmp_path):
    schema.save(tmp_path / "a.json")
    Schema.load(tmp_path / "a.json").save(tmp_path / "b.json")
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.json").read_text(encoding="utf-8")
    assert "Zoë" in text
    record = json.loads(text)
    assert record["version"] == 1
    assert record["fields"][1]["vocabulary"] == [5, 2**62 + 1]


def test_a_loaded_schema_can_be_fitted_again_and_keeps_what_was_given(tmp_path):
    fields = [Categorical("a"), Categorical("b", vocabulary=["x"])]
    schema = Schema(fields).fit(pd.DataFrame({"a": ["p"], "b": ["x"]}))
    schema.save(tmp_path / "schema.json")
    copy = Schema.load(tmp_path / "schema.json")
    copy.fit(pd.DataFrame({"a": [7], "b": ["y"]}))
    assert copy.field("a").vocabulary == (7,)
    assert copy.field("b").vocabulary == ("x",)


def test_an_unfitted_schema_stays_unfitted_after_loading(tmp_path):
    Schema([Categorical("c"), Numeric("n")]).save(tmp_path / "schema.json")
    copy = Schema.load(tmp_path / "schema.json")
    assert not copy.fitted
    assert copy.fields == [Categorical("c"), Numeric("n")]


def test_saving_makes_the_folder_and_leaves_no_other_file(schema, tmp_path):
    schema.save(tmp_path / "new" / "schema.json")
    schema.save(str(tmp_path / "new" / "schema.json"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["schema.json"]


def test_a_failed_save_keeps_the_old_file(schema, tmp_path):
    path = tmp_path / "schema.json"
    schema.save(path)
    before = path.read_bytes()
    schema.coverage["user"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        schema.save(path)
    schema.coverage["user"] = "\ud800"
    with pytest.raises(UnicodeEncodeError):
        schema.save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["schema.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda record: record.update(version=2), "version 2"),
        (lambda record: record.update(format="other"), "other JSON"),
        (lambda record: record.pop("label"), "'label'"),
        (lambda record: record["fields"][0].pop("kind"), "'kind'"),
        (lambda record: record["fields"][0].update(kind="Text"), "'Text'"),
        (lambda record: record["fields"][0].update(surplus=1), "surplus"),
        (lambda record: record["fields"][0].update(name="a b"), "'a b'"),
        (lambda record: record["fields"].append(3), "Schema.save"),
        (lambda record: record.update(fields=None), "Schema.save"),
        (lambda record: record.update(fields=[]), "at least one field"),
        (lambda record: record.update(fields=["item"]), "Schema.save"),
    ],
)
def test_a_json_file_without_a_schema_is_refused(schema, tmp_path, change, words):
    path = tmp_path / "schema.json"
    schema.save(path)
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["sha256"]  # As version 0.2 wrote it; else the sum says that it changed.
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ValueError, match=words) as caught:
        Schema.load(path)
    assert "Fix: " in str(caught.value)


@pytest.mark.parametrize("text", [b"", b'{"format": ', b"[]", b"\xff"])
def test_a_file_that_is_not_json_is_refused(tmp_path, text):
    path = tmp_path / "schema.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match="Schema.save"):
        Schema.load(path)


def test_a_path_without_a_file_is_refused(schema, tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ValueError, match="Schema.save(.|\n)*check the path"):
            Schema.load(path)
    with pytest.raises(ValueError, match="the folder(.|\n)*file name"):
        schema.save(tmp_path)
