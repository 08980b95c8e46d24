"""Text is read in the types of the schema, and nothing is guessed silently."""

import gzip
import os
import pathlib

import pandas as pd
import pyarrow as pa
import pytest

from tf_ctr.data import rows
from tf_ctr.features import Categorical, Numeric, Schema

TEXT = "1\tu1\t5\t0.5\n0\t\t\t\n1\tu2\t5\t2\n"
NAMES = ["click", "user", "item", "price"]


def test_a_file_without_a_header_is_read_by_names(tmp_path):
    plain = tmp_path / "day_0.tsv"
    plain.write_text(TEXT)
    packed = tmp_path / "day_1.tsv.gz"
    with gzip.open(packed, "wt") as file:
        file.write(TEXT)
    other = tmp_path / "train.txt"
    other.write_text(TEXT)
    expected = rows(plain, column_names=NAMES).to_pandas()
    assert expected["user"].tolist()[::2] == ["u1", "u2"]
    assert expected["item"].isna().tolist() == [False, True, False]
    for opened in (
        rows(packed, column_names=NAMES),
        rows(other, format="tsv", column_names=NAMES),
        rows(other, format="csv", delimiter="\t", column_names=NAMES),
    ):
        pd.testing.assert_frame_equal(opened.to_pandas(), expected)


def test_types_of_the_schema_are_those_of_the_cells(tmp_path):
    (tmp_path / "a.csv").write_text("user,tags,n\n007,1|2,3\n08,,\n")
    fields = [
        Categorical("user", dtype="string"),
        Categorical("tags", dtype="int64", multivalent=True),
        Numeric("n"),
    ]
    schema = Schema(fields).fit(tmp_path)
    assert schema.field("user").vocabulary == ("007", "08")
    assert schema.field("tags").vocabulary == (1, 2)
    assert schema.field("n").mean == 3.0


@pytest.mark.parametrize("cell", ["0x02", "0XFF", "5.0", "9223372036854775808", "1 2"])
def test_only_decimal_digits_are_whole_numbers(tmp_path, cell):
    path = tmp_path / "a.csv"
    path.write_text(f"item,click\n5,1\n 7 ,0\n{cell},1\n")
    opened = rows(path, types={"item": pa.int64()})
    with pytest.raises(ValueError, match=f"'{cell}' in row 3(.|\n)*In .*a.csv"):
        opened.to_pandas()
    path.write_text("item\n5\n 7 \n-3\n")
    got = rows(path, types={"item": pa.int64()}).to_pandas()
    assert got["item"].tolist() == [5, 7, -3]


def test_an_id_in_brackets_is_an_id_unless_it_is_a_printed_list(tmp_path):
    path = tmp_path / "a.csv"
    opened = (
        rows(path, types={"tags": pa.list_(pa.string())}) if path.exists() else None
    )
    assert opened is None
    path.write_text('tags\n[a]|b\n"[x, y]"\n')
    kind = {"tags": pa.list_(pa.string())}
    got = rows(path, types=kind).to_pandas()["tags"]
    assert [list(ids) for ids in got] == [["[a]", "b"], ["[x, y]"]]
    for printed in ("['a', 'b']", "[]", '["it\'s"]'):
        pd.DataFrame({"tags": ["c", printed]}).to_csv(path, index=False)
        with pytest.raises(ValueError, match="row 2, a list as to_csv"):
            rows(path, types=kind).to_pandas()


def test_filters_and_folders_work_with_text(tmp_path):
    for day in (1, 2):
        (tmp_path / f"day={day}").mkdir()
        (tmp_path / f"day={day}" / "a.csv").write_text("item,user\n5,a\n7,b\n")
    opened = rows(tmp_path, filter=[("day", "=", 2), ("item", ">", 5)])
    assert opened.to_pandas().to_dict("list") == {
        "item": [7],
        "user": ["b"],
        "day": [2],
    }
    assert opened.count is None


def test_a_file_of_a_header_only_has_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text("item,click\n")
    (tmp_path / "b.csv").write_text("item,click\n5,1\n")
    assert len(rows(tmp_path).to_pandas()) == 1


@pytest.mark.skipif("TF_CTR_DATA" not in os.environ, reason="TF_CTR_DATA is not set")
def test_the_samples_of_criteo_and_avazu_are_read():
    folder = pathlib.Path(os.environ["TF_CTR_DATA"], "samples")
    criteo = rows(folder / "criteo_sample.txt", format="csv").to_pandas()
    assert len(criteo) == 200 and len(criteo.columns) == 40
    fields = [Categorical("C1"), Categorical("C9"), Numeric("I2")]
    schema = Schema(fields, label="label").fit(
        rows(folder / "criteo_sample.txt", format="csv")
    )
    assert schema.field("C1").vocabulary[0] == criteo["C1"].mode()[0]
    avazu = rows(folder / "avazu_sample.txt", format="csv")
    schema = Schema([Categorical("id", dtype="string")]).fit(avazu)
    assert len(schema.field("id").vocabulary) == 100
