"""Rows of every kind of source are those of one frame."""

import fsspec
import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import pytest

from tf_ctr.data import rows
from tf_ctr.features import Categorical, Schema
from tf_ctr.rows import parts

FRAME = pd.DataFrame(
    {
        "item": np.arange(40) % 7,
        "user": [f"u{i % 5}" for i in range(40)],
        "day": np.repeat([1, 2], 20),
    }
)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The frame in folders `day=...`, as Spark writes them; no test changes them."""
    folder = tmp_path_factory.mktemp("log")
    for day, of_day in FRAME.groupby("day"):
        part = folder / f"day={day}"
        part.mkdir()
        own = of_day.drop(columns="day")
        own[:8].to_parquet(part / "part-0.parquet", row_group_size=5)
        own[8:].to_parquet(part / "part-1.parquet")
        (part / "_committed").touch()
    (folder / "_SUCCESS").touch()
    return folder


def table():
    return pa.Table.from_pandas(FRAME, preserve_index=False)


SOURCES = {
    "folder": lambda log: log,
    "text": str,
    "pattern": lambda log: f"{log}/day=*/part-?.parquet",
    "any depth": lambda log: f"{log}/**/*.parquet",
    "list": lambda log: [log / "day=1", log / "day=2"],
    "uri": lambda log: f"file://{log}",
    "dataset": lambda log: pyarrow.dataset.dataset(log, partitioning="hive"),
    "frame": lambda _: FRAME,
    "polars": lambda _: polars.from_pandas(FRAME),
    "table": lambda _: table(),
    "batches": lambda _: table().to_batches(max_chunksize=7),
    "iterator": lambda _: iter(table().to_batches(max_chunksize=7)),
    "function": lambda _: lambda: iter([FRAME[:3], table().slice(3)]),
    "memory dataset": lambda _: pyarrow.dataset.dataset(table()),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_the_rows_of_the_frame(log, kind):
    got = rows(SOURCES[kind](log)).to_pandas()
    assert got[["item", "user", "day"]].to_dict("list") == FRAME.to_dict("list")


def test_iterating_yields_record_batches_again_and_again(log):
    opened = rows(log)
    for _ in range(2):
        batches = list(opened)
        assert {type(batch) for batch in batches} == {pa.RecordBatch}
        assert pa.Table.from_batches(batches)["item"].to_pylist() == list(FRAME["item"])


def test_the_schema_and_the_count_need_no_row(log):
    opened = rows(log)
    assert opened.schema.names == ["item", "user", "day"]
    assert opened.schema.field("day").type == pa.int64()
    assert (opened.count, rows(FRAME).count, rows(iter([FRAME])).count) == (
        40,
        40,
        None,
    )


def test_columns_and_filters_are_those_of_pandas(log):
    kept = FRAME[(FRAME["day"] == 2) & (FRAME["item"] > 4)][["user"]]
    for source in (log, FRAME, table(), lambda: iter([FRAME])):
        opened = rows(
            source, columns=["user"], filter=[("day", "=", 2), ("item", ">", 4)]
        )
        assert opened.to_pandas().to_dict("list") == kept.to_dict("list")
    expression = pyarrow.dataset.field("item") == 3
    got = rows(log, filter=expression).to_pandas()
    assert len(got) == (FRAME["item"] == 3).sum()


def test_a_filter_on_folders_opens_no_file_of_the_others(log, tmp_path):
    for day in (1, 2):
        (tmp_path / f"day={day}").mkdir()
    (tmp_path / "day=1" / "a.parquet").write_bytes(
        (log / "day=1" / "part-1.parquet").read_bytes()
    )
    (tmp_path / "day=2" / "a.parquet").write_text("torn")
    assert rows(tmp_path, filter=[("day", "<", 2)]).count is None
    assert len(rows(tmp_path, filter=[("day", "<", 2)]).to_pandas()) == 12


def test_values_of_folders_are_text_unless_all_are_numbers(tmp_path):
    days = ["2022-04-25", "__HIVE_DEFAULT_PARTITION__", "a%2Fb"]
    for day in days:
        folder = tmp_path / f"day={day}" / "hour=07"
        folder.mkdir(parents=True)
        pd.DataFrame({"item": [1]}).to_parquet(folder / "a.parquet")
    got = rows(tmp_path)
    assert got.schema.types[1:] == [pa.string(), pa.int64()]
    assert set(got.to_pandas()["day"].fillna("none")) == {"2022-04-25", "a/b", "none"}
    text = rows(tmp_path, types={"hour": pa.string()}).to_pandas()
    assert set(text["hour"]) == {"07"}
    assert rows(tmp_path, partitioning=None).schema.names == ["item"]


def test_folders_are_read_in_the_type_of_a_field(tmp_path):
    for hour in ("07", "11"):
        (tmp_path / f"hour={hour}").mkdir()
        FRAME.to_parquet(tmp_path / f"hour={hour}" / "a.parquet")
    log = rows(tmp_path)
    for dtype, ids in (("string", ("07", "11")), ("int64", (7, 11)), (None, (7, 11))):
        schema = Schema([Categorical("hour", dtype=dtype)]).fit(log)
        assert schema.field("hour").vocabulary == ids
    (tmp_path / "hour=noon").mkdir()
    FRAME.to_parquet(tmp_path / "hour=noon" / "a.parquet")
    with pytest.raises(ValueError, match="folder hour=noon(?s:.)*dtype"):
        Schema([Categorical("hour", dtype="int64")]).fit(tmp_path)


def test_open_rows_open_their_files_once(log):
    opened = rows(log)
    found = []
    real = opened._parts

    def counted(types):
        found.append(types)
        return real(types)

    opened._parts = counted
    for _ in range(2):
        schema = Schema([Categorical("item"), Categorical("day")]).fit(opened)
        schema.extend(opened)
    # Once as they are, and once with the type of `day`, which folders only spell.
    assert len(found) == 2


def test_an_iterator_is_read_once_and_a_function_again():
    once = rows(iter([FRAME]))
    assert len(once.to_pandas()) == 40
    with pytest.raises(ValueError, match="iterator that was read already(.|\n)*lambda"):
        list(once)
    again = rows(lambda: iter([FRAME]))
    assert [len(again.to_pandas()) for _ in range(2)] == [40, 40]
    assert len(rows(lambda: FRAME).to_pandas()) == 40


def test_blocks_have_a_limited_length_and_the_place_of_their_rows(log, monkeypatch):
    monkeypatch.setattr(parts, "BLOCK_ROWS", 6)
    for source in (log, FRAME, table()):
        lengths = [len(frame) for _, frame in rows(source).frames()]
        assert max(lengths) == 6
        assert sum(lengths) == 40
    places = [place for place, _ in rows(log / "day=1" / "part-0.parquet").frames()]
    assert [place.rpartition("part-0.parquet")[2] for place in places] == [
        ", row group 0",
        ", row group 1",
    ]


def test_files_may_differ_in_the_width_of_their_types(tmp_path):
    pd.DataFrame({"a": np.array([1], np.int32)}).to_parquet(tmp_path / "0.parquet")
    pd.DataFrame({"a": np.array([2], np.int64)}).to_parquet(tmp_path / "1.parquet")
    assert rows(tmp_path).schema.field("a").type == pa.int64()
    pd.DataFrame({"a": ["x"]}).to_parquet(tmp_path / "2.parquet")
    with pytest.raises(ValueError, match="agree on the types(.|\n)*Fix: "):
        assert rows(tmp_path).schema


def test_a_frame_of_polars_may_have_any_of_its_strings():
    frame = polars.DataFrame(
        {
            "text": ["a", None],
            "kind": polars.Series(["x", None], dtype=polars.Categorical),
            "ids": [["p", "q"], []],
            "n": [1, None],
        }
    )
    got = rows(frame).to_pandas()
    assert got["text"].tolist()[0] == got["ids"].tolist()[0][0].replace("p", "a") == "a"
    assert got["kind"].tolist()[0] == "x" and got["kind"].isna().tolist() == [
        False,
        True,
    ]
    assert got["n"].isna().tolist() == [False, True]


def test_rows_say_what_they_are(log):
    assert repr(rows(log)).startswith("Rows(4 parquet files, e.g. ")
    assert repr(rows(FRAME, columns=["day"])) == "Rows(DataFrame, columns=['day'])"


def test_arrow_files_are_read(tmp_path):
    with pa.ipc.new_file(tmp_path / "a.arrow", table().schema) as writer:
        writer.write_table(table())
    assert rows(tmp_path).to_pandas()["user"].tolist() == FRAME["user"].tolist()


def test_a_filesystem_of_fsspec_or_pyarrow_reads_the_files():
    memory = fsspec.filesystem("memory")
    with memory.open("/bucket/log/day=3/a.parquet", "wb") as file:
        FRAME.to_parquet(file)
    for opened in (
        rows("memory://bucket/log"),
        rows("/bucket/log", filesystem=memory),
        rows("memory://bucket/log/*/a.parquet", filesystem=memory),
    ):
        assert opened.count == 40
        # The folder's value stands in for that of the file.
        assert set(opened.to_pandas()["day"]) == {3}


@pytest.mark.parametrize("scheme", ["s3", "gs", "hdfs"])
def test_a_uri_is_given_to_the_file_system_of_its_scheme(log, scheme, monkeypatch):
    """By a stand-in: pyarrow has the file systems, and a test has no such server."""
    asked = []

    class Systems:
        @staticmethod
        def from_uri(uri):
            asked.append(uri)
            return pyarrow.fs.LocalFileSystem(), str(log)

    monkeypatch.setattr(pyarrow.fs, "FileSystem", Systems)
    assert rows(f"{scheme}://bucket/log").count == 40
    assert asked == [f"{scheme}://bucket/log"]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda log: rows(f"{log}/none"), ValueError, "names none"),
        (lambda log: rows(3), TypeError, "int: 3"),
        (lambda log: rows([]), ValueError, "empty list"),
        (lambda log: rows({"item": [1]}), TypeError, "Received: dict"),
        (lambda log: rows(np.arange(3)), TypeError, "ndarray"),
        (lambda log: rows(polars.LazyFrame({"a": [1]})), TypeError, "LazyFrame"),
        (lambda log: list(rows([3])), TypeError, "frames, tables or"),
        (lambda log: rows(lambda: 3).to_pandas(), TypeError, "frames, tables or"),
        (lambda log: rows(log, format="csv"), ValueError, "other endings"),
        (lambda log: rows(log, format="xml"), ValueError, "'parquet', 'csv'"),
        (lambda log: rows(log, filter=3), ValueError, "list of conditions"),
        (lambda log: rows(log, filter=[("dya", "=", 1)]).count, ValueError, "'dya'"),
        (lambda log: rows(log, delimiter="||"), ValueError, "one character"),
        (lambda log: rows(log, separator=""), ValueError, "separator"),
        (lambda log: rows(log, partitioning="x"), ValueError, "'hive'"),
        (lambda log: rows("none://a/b"), ValueError, "URI"),
        (lambda log: rows(log, filesystem=3), TypeError, "file system"),
        (lambda log: rows(FRAME, format="csv"), ValueError, "only with files"),
        (lambda log: rows(rows(log), format="csv"), ValueError, "first time"),
    ],
)
def test_a_wrong_argument_is_explained(log, call, kind, words):
    with pytest.raises(kind, match=f"Expected (?s:.)*{words}(?s:.)*Fix: "):
        call(log)


def test_endings_of_several_formats_need_a_choice(log, tmp_path):
    (tmp_path / "a.csv").write_text("item\n1\n")
    FRAME.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"several: .*(.|\n)*format="):
        rows(tmp_path)
    assert rows(tmp_path, format="csv").to_pandas().to_dict("list") == {"item": [1]}


def test_a_wrong_name_in_columns_is_explained(log):
    chosen = rows(log, columns=["user", "itme"])
    stream = rows(lambda: iter([FRAME]), columns=["user", "itme"])
    for read in (
        chosen.to_pandas,
        lambda: next(chosen.frames(check=lambda _: None)),
        lambda: next(iter(chosen)),
        lambda: next(iter(stream)),
    ):
        with pytest.raises(
            ValueError, match="(?s)Received: 'itme'.*use one of: .*item"
        ):
            read()


@pytest.mark.parametrize(
    "filter, words",
    [
        ([("dya", "=", 1)], "column in the filter(?s:.)*'dya'.\nFix: .*day"),
        ([("day", "=", "x")], "day: int64(?s:.)*int64 compared with string"),
        ([("day", "in", ["x"])], "day: int64(?s:.)*int64 compared with string"),
    ],
)
def test_a_wrong_filter_is_explained_for_every_source(filter, words, tmp_path):
    frame = pd.DataFrame({"day": [1, 2]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False)
    table = pa.table(frame)
    sources = [tmp_path / "a.parquet", tmp_path / "a.csv", frame, lambda: iter([table])]
    sources += [pa.dataset.dataset(tmp_path / "a.parquet"), pa.dataset.dataset(table)]
    for source in sources:
        with pytest.raises(ValueError, match=words):
            rows(source, filter=filter).to_pandas()


@pytest.mark.parametrize("argument", ["columns", "column_names"])
def test_one_name_in_place_of_a_list_is_refused(log, argument):
    with pytest.raises(ValueError, match=rf"pass {argument}=\['user'\]"):
        rows(log, **{argument: "user"})


@pytest.mark.parametrize("option", [{"column_names": ["a"]}, {"delimiter": ";"}])
def test_options_of_text_are_refused_with_other_files(log, option):
    with pytest.raises(ValueError, match="only with csv and tsv files"):
        rows(log, **option)
