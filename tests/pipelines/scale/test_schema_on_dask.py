"""A schema fitted by many processes is that of one, to the bit."""

import pickle

import numpy as np
import pandas as pd
import pytest

from pipelines.scale import schema_on_dask
from tf_ctr.features import Categorical, Numeric, Schema, Statistics

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A Hive folder of five files, and a schema to fit."""
    folder = tmp_path_factory.mktemp("lake")
    for day in range(3):
        (folder / f"day={day}").mkdir()
    for file in range(5):
        rows = 30 + 10 * file
        pd.DataFrame(
            {
                "user": [f"u{i}" for i in RNG.zipf(1.4, rows) % 50],
                "price": RNG.lognormal(size=rows),
                "tags": [list(RNG.integers(0, 9, i % 3)) for i in range(rows)],
            }
        ).to_parquet(folder / f"day={file % 3}" / f"{file}.parquet")
    return folder


def unfitted():
    return Schema(
        [
            Categorical("user", min_count=2),
            Categorical("day"),
            Categorical("tags", multivalent=True),
            Numeric("price", transform="log"),
            Numeric("bins", "quantile", num_bins=4, column="price"),
        ]
    )


def test_files_are_dealt_once_each_by_their_bytes(lake):
    parts = schema_on_dask.deal(str(lake), 2)
    files = sorted(str(file) for file in lake.rglob("*.parquet"))
    assert sorted(file for part in parts for file in part) == files
    assert len(parts) == 2
    assert [len(part) for part in schema_on_dask.deal(lake.as_uri(), 9)] == [1] * 5
    (lake / "none").mkdir()
    with pytest.raises(ValueError, match="Parquet files(.|\n)*check the path"):
        schema_on_dask.deal(str(lake / "none"), 2)


@pytest.mark.parametrize("tasks", [1, 3, 5])
def test_map_and_reduce_give_the_schema_of_one_machine(lake, tasks):
    def submit(function, *arguments):
        """As an engine does: everything travels between processes."""
        arguments = pickle.loads(pickle.dumps(arguments))
        return pickle.loads(pickle.dumps(function(*arguments)))

    parts = schema_on_dask.deal(str(lake), tasks)
    merged = schema_on_dask.reduced(submit, unfitted(), parts, 7)
    schema, one = unfitted().fit(merged), unfitted().fit(lake)
    assert (schema.fields, schema.coverage) == (one.fields, one.coverage)
    assert (merged.first, merged.last) == (7, 7)


def test_two_processes_of_dask_write_the_file_of_one_machine(lake, tmp_path, capsys):
    pytest.importorskip("distributed", reason="Dask is not installed: distributed")
    unfitted().save(tmp_path / "unfitted.json")
    names = ("unfitted.json", "fitted.json", "lake.parquet")
    given, fitted, statistics = (str(tmp_path / name) for name in names)
    schema_on_dask.main(
        [str(lake), "--schema", given, "--out", fitted, "--statistics", statistics]
    )
    assert "250 rows" in capsys.readouterr().out
    unfitted().fit(lake).save(tmp_path / "one.json")
    assert (tmp_path / "one.json").read_bytes() == (
        tmp_path / "fitted.json"
    ).read_bytes()
    assert Statistics.load(statistics).rows == 250
