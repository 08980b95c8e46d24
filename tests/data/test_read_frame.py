"""Values are as they are in a file, whatever its format."""

import pandas as pd
import pytest

import tf_ctr
from tf_ctr.data.read_frame import read_frame


def test_a_file_of_each_kind_gives_the_frame(tmp_path):
    frame = pd.DataFrame({"item": [5, 7], "price": [0.5, 2.0], "user": ["ann", "bob"]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    for kind in ("csv", "parquet", "jsonl"):
        assert read_frame(tmp_path / f"rows.{kind}").to_dict() == frame.to_dict()


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "rows.txt").touch()
    (tmp_path / "torn.parquet").write_text("torn")
    for name in ("rows.txt", "none.csv", "torn.parquet"):
        with pytest.raises(ValueError, match=name):
            read_frame(tmp_path / name)


SCHEMA = tf_ctr.Schema(
    [
        tf_ctr.Categorical("country", vocabulary=["NA", "007"]),
        tf_ctr.Categorical("item", vocabulary=[2**53 + 1]),
        tf_ctr.Numeric("timestamp", mean=0.0, std=1.0),
        tf_ctr.Categorical("tags", vocabulary=["1"], multivalent=True, max_length=1),
    ]
)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_values_are_read_unchanged_from_the_file(tmp_path, kind):
    """Not text as numbers, "NA" as missing, times as dates, integers as floats."""
    file = tmp_path / f"rows.{kind}"
    frame = pd.DataFrame({"country": ["NA", "007", ""], "timestamp": [10**9, 7, 8]})
    frame["item"] = pd.array([2**53 + 1, None, 2**53 + 3], "Int64")
    schema = SCHEMA
    if kind == "csv":
        schema = tf_ctr.Schema(SCHEMA.fields[:3])
        frame.to_csv(file, index=False)
    else:
        frame["tags"] = [["1"], [], ["007"]]
        if kind == "jsonl":
            frame.to_json(file, orient="records", lines=True)
        else:
            frame.to_parquet(file)
    columns = schema.raw_columns(read_frame(file, schema))
    assert columns["country"].tolist() == ["NA", "007", ""]
    assert columns["item"].tolist() == [2**53 + 1, -1, 2**53 + 3]
    assert columns["timestamp"].tolist() == [10**9, 7, 8]
    if kind != "csv":
        assert columns["tags"].tolist() == [["1"], [""], ["007"]]


def test_lines_that_are_not_objects_are_refused(tmp_path):
    for text in ("5\n", '{"a": 1}\n[2]\n', "{"):
        (tmp_path / "rows.jsonl").write_text(text)
        with pytest.raises(ValueError, match="Expected rows in"):
            read_frame(tmp_path / "rows.jsonl")
